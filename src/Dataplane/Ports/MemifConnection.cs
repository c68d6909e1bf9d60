using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>Rings that both sides have agreed on. Made and ended by the agent, worked on by the worker in between.</summary>
/// <remarks>
/// The memory may be unmapped only when the worker is done with it. <see cref="TryAdopt"/> and <see cref="TryEnd"/> settle by one
/// interlocked exchange whether the worker has it; if so, the agent waits for <see cref="LetGo"/>.
/// </remarks>
internal sealed class MemifConnection(MemifRegions regions, MemifReceiver[] receivers, MemifTransmitter[] transmitters) : IDisposable
{
    private const int Offered = 0, Adopted = 1, Ended = 2;

    private int _state;
    private int _fault;

    /// <summary>The receiving ends by queue.</summary>
    public MemifReceiver[] Receivers { get; } = receivers;

    /// <summary>The sending ends by queue.</summary>
    public MemifTransmitter[] Transmitters { get; } = transmitters;

    /// <summary>What the peer did to a ring, once the worker has found it.</summary>
    public MemifFault Fault => (MemifFault)Volatile.Read(ref _fault);

    /// <summary>Whether nobody works on the memory any more.</summary>
    public bool IsEnded => Volatile.Read(ref _state) == Ended;

    /// <summary>Lends the buffers and opens the rings. The agent, before the worker sees them.</summary>
    public void Start()
    {
        foreach (MemifReceiver receiver in Receivers)
            receiver.Start();
    }

    /// <summary>The worker begins to work on the rings; false when they are gone already.</summary>
    public bool TryAdopt() => Interlocked.CompareExchange(ref _state, Adopted, Offered) == Offered;

    /// <summary>The agent takes back what the worker has not begun with; false when it has to wait.</summary>
    public bool TryEnd() => Interlocked.CompareExchange(ref _state, Ended, Offered) != Adopted;

    /// <summary>The worker is done with the rings.</summary>
    public void LetGo() => Volatile.Write(ref _state, Ended);

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
