using System.Threading.Tasks.Sources;

namespace Dataplane.Ports;

/// <summary>Wakes one asynchronous loop. A wake that comes early is kept; waking is cheap while the loop runs, and allocates nothing.</summary>
/// <remarks>The loop goes on on the thread pool, never on the thread that wakes it: that one is a worker and has packets to forward.</remarks>
internal sealed class AsyncSignal : IPortWaker, IValueTaskSource
{
    private const int Idle = 0, Set = 1, Waiting = 2;

    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
    private int _state;

    /// <inheritdoc/>
    public void Wake()
    {
        // Of several threads that wake at once, one ends the wait.
        if (Interlocked.CompareExchange(ref _state, Set, Idle) == Waiting && Interlocked.CompareExchange(ref _state, Idle, Waiting) == Waiting)
            _source.SetResult(true);
    }

    /// <summary>Waits for a wake since the last wait. One loop at a time; what is waited for has to be looked at again afterwards.</summary>
    internal ValueTask WaitAsync()
    {
        _source.Reset();
        short token = _source.Version;
        if (Interlocked.CompareExchange(ref _state, Waiting, Idle) == Idle)
            return new ValueTask(this, token);
        Volatile.Write(ref _state, Idle);
        return ValueTask.CompletedTask;
    }

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
