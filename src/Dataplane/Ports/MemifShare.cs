using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>The queues of a connection that one worker works on.</summary>
/// <remarks>
/// The memory may be unmapped only when the worker is done with it. <see cref="TryAdopt"/> and <see cref="TryEnd"/> settle by one
/// interlocked exchange whether the worker has it; if so, the agent waits for <see cref="LetGo"/>.
/// </remarks>
internal sealed class MemifShare(MemifConnection connection, MemifReceiver[] receivers, MemifTransmitter[] transmitters)
{
    private const int Offered = 0, Adopted = 1, Ended = 2;

    private int _state;

    public MemifConnection Connection { get; } = connection;

    /// <summary>Its receiving ends.</summary>
    public MemifReceiver[] Receivers { get; } = receivers;

    /// <summary>Its sending ends; there may be none.</summary>
    public MemifTransmitter[] Transmitters { get; } = transmitters;

    /// <summary>Whether the worker is done with the rings, or has never begun.</summary>
    public bool IsEnded => Volatile.Read(ref _state) == Ended;

    /// <summary>The worker begins to work on the rings; false when they are gone already.</summary>
    public bool TryAdopt() => Interlocked.CompareExchange(ref _state, Adopted, Offered) == Offered;

    /// <summary>The agent takes back what the worker has not begun with; false when it has to wait.</summary>
    public bool TryEnd() => Interlocked.CompareExchange(ref _state, Ended, Offered) != Adopted;

    /// <summary>The worker is done with the rings.</summary>
    public void LetGo() => Volatile.Write(ref _state, Ended);
}
