using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A pair of rings: receiving fills a batch, transmitting drains one.</summary>
/// <remarks>
/// Contract. All members but <see cref="ReadStatistics"/>, <see cref="Link"/>, <see cref="LinkReason"/>,
/// <see cref="Description"/> and <see cref="ReadEvents"/> are called by one thread at a time, the worker that owns the port, and neither allocate
/// nor throw. A received frame stays valid and writable until <see cref="Release"/>;
/// at least 64 writable bytes lie before it, which the engine may use to lengthen the headers.
/// </remarks>
public interface IPort : IDisposable
{
    /// <summary>The hardware address that the port sends from unless an interface sets another.</summary>
    MacAddress Mac { get; }

    /// <summary>The largest layer 3 packet in bytes.</summary>
    int Mtu { get; }

    /// <summary>Whether frames can pass now. May be read by any thread.</summary>
    LinkState Link { get; }

    /// <summary>Why frames cannot pass now, in words; empty when they can, or the state says it all. May be read by any thread.</summary>
    string LinkReason => "";

    /// <summary>How the port works where that is decided at opening, such as <c>native XDP, copy</c>; else empty. May be read by any thread.</summary>
    string Description => "";

    /// <summary>A descriptor that poll(2) reports as readable when frames wait; null when the port wakes the worker by <see cref="SetWaker"/>.</summary>
    FileDescriptor? PollDescriptor { get; }

    /// <summary>The descriptors of all queues that the worker runs.</summary>
    internal IReadOnlyList<FileDescriptor> PollDescriptors => PollDescriptor is { } descriptor ? [descriptor] : [];

    /// <summary>What the port takes unfinished; everything else is finished before it is handed over.</summary>
    internal FrameOffloads Offloads => FrameOffloads.None;

    /// <summary>Adds received frames to an empty batch: sets its memory and appends offset and length of each.</summary>
    /// <returns>The number of frames added, 0 when none wait.</returns>
    int Receive(PacketBatch batch);

    /// <summary>Gives the frames of the batch, and only these, back to the ring.</summary>
    void Release(PacketBatch batch);

    /// <summary>Copies frames of the batch into the transmit ring; they leave at the next <see cref="Flush"/> at the latest.</summary>
    /// <param name="batch">The batch the frames lie in; it may belong to another port.</param>
    /// <param name="packets">Numbers of the packets in the batch, in the order they are to leave.</param>
    /// <returns>How many were accepted. Every other one the port has marked with <see cref="PacketBatch.Drop"/> and the reason:
    /// <see cref="Dataplane.Pipeline.DropReason.TransmitRingFull"/>, <see cref="Dataplane.Pipeline.DropReason.LinkDown"/> or
    /// <see cref="Dataplane.Pipeline.DropReason.FrameTooLong"/>.</returns>
    int Transmit(PacketBatch batch, ReadOnlySpan<short> packets);

    /// <summary>Makes everything transmitted visible to the other side; one system call at most. Called once per batch.</summary>
    void Flush();

    /// <summary>Takes the number of frames that were accepted and will not leave after all, since the last time it was asked. Behind a flush; the worker.</summary>
    /// <param name="isEnd">Whether nothing is flushed any more: what the system does not take at once does not leave.</param>
    /// <param name="reason">Why, of the latest.</param>
    internal int TakeWithdrawn(bool isEnd, out DropReason reason)
    {
        reason = DropReason.None;
        return 0;
    }

    /// <summary>Hands over what the port calls to wake the worker when frames arrive while it sleeps (ports without a descriptor).</summary>
    void SetWaker(IPortWaker waker);

    /// <summary>Asks the other side to make <see cref="PollDescriptor"/> readable when frames come. The worker is about to look once more, then sleep.</summary>
    void PrepareSleep()
    {
    }

    /// <summary>Reads what else happened to the port, such as peers that were refused; what has not happened is left out. May be called by any thread.</summary>
    IReadOnlyList<PortEvent> ReadEvents() => [];

    /// <summary>Reads the counters. May be called by any thread; a snapshot, not atomic across fields.</summary>
    void ReadStatistics(out PortStatistics statistics);
}
