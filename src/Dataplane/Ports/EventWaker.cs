namespace Dataplane.Ports;

/// <summary>Wakes a thread that waits in <see cref="Wait"/>: the sleeping of code that is no worker. A wake that comes early is kept.</summary>
internal sealed class EventWaker : IPortWaker
{
    // A monitor and not an event object: it needs no disposal, so the port needs none.
    private readonly object _gate = new();
    private bool _set;

    /// <inheritdoc/>
    public void Wake()
    {
        lock (_gate)
        {
            _set = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Forgets earlier wakes; called before the last look at what is waited for.</summary>
    internal void Reset()
    {
        lock (_gate)
            _set = false;
    }

    /// <summary>Waits for a wake since <see cref="Reset"/>; false when time was up.</summary>
    /// <param name="timeout">The longest wait; <see cref="Timeout.InfiniteTimeSpan"/> for no end.</param>
    internal bool Wait(TimeSpan timeout)
    {
        lock (_gate)
            return _set || Monitor.Wait(_gate, timeout);
    }
}
