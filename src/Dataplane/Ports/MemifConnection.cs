using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>Rings that both sides have agreed on. Made and ended by the agent, worked on by workers in between, each by its <see cref="MemifShare"/>.</summary>
internal sealed class MemifConnection(MemifRegions regions, MemifReceiver[] receivers, MemifTransmitter[] transmitters) : IDisposable
{
    private MemifShare[] _shares = [];
    private int _fault;

    /// <summary>The receiving ends by queue.</summary>
    public MemifReceiver[] Receivers { get; } = receivers;

    /// <summary>The sending ends by queue.</summary>
    public MemifTransmitter[] Transmitters { get; } = transmitters;

    /// <summary>What the peer did to a ring, once the worker has found it.</summary>
    public MemifFault Fault => (MemifFault)Volatile.Read(ref _fault);

    /// <summary>Whether nobody works on the memory any more.</summary>
    public bool IsEnded => Array.TrueForAll(_shares, share => share.IsEnded);

    /// <summary>Lends the buffers and opens the rings. The agent, before workers see them.</summary>
    /// <param name="workers">How many there are: queues go to them in turn.</param>
    /// <returns>The share of each.</returns>
    public MemifShare[] Start(int workers)
    {
        foreach (MemifReceiver receiver in Receivers)
            receiver.Start();
        _shares = [.. Enumerable.Range(0, workers).Select(worker => new MemifShare(this,
            [.. Receivers.Where((_, queue) => queue % workers == worker)], [.. Transmitters.Where((_, queue) => queue % workers == worker)]))];
        return _shares;
    }

    /// <summary>The agent takes back what no worker has begun with; false when it has to wait for one.</summary>
    public bool TryEnd()
    {
        bool all = true;
        foreach (MemifShare share in _shares)
            all &= share.TryEnd();
        return all;
    }

    /// <summary>Nobody works on the rings any more.</summary>
    public void LetGo() => Array.ForEach(_shares, share => share.LetGo());

    /// <summary>The worker has found a fault.</summary>
    /// <returns>False when it is known.</returns>
    public bool TryReport(MemifFault fault) => Interlocked.CompareExchange(ref _fault, (int)fault, 0) == 0;

    /// <summary>Unmaps the memory and closes the events.</summary>
    public void Dispose()
    {
        foreach (MemifReceiver receiver in Receivers)
            receiver.Interrupt.Dispose();
        foreach (MemifTransmitter transmitter in Transmitters)
            transmitter.Interrupt.Dispose();
        regions.Dispose();
    }
}
