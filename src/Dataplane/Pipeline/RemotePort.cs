using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>A port of another worker: what is sent by it goes to that worker, which sends it. Never received from.</summary>
/// <remarks>A packet accepted here is held, not transmitted: whether it leaves, the port's own worker decides and counts.</remarks>
internal sealed class RemotePort(WorkerLinks links, HandOverRing ring, ushort port) : IPort
{
    /// <inheritdoc/>
    public MacAddress Mac => default;

    /// <inheritdoc/>
    public int Mtu => 0;

    /// <inheritdoc/>
    public LinkState Link => LinkState.Up;

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => null;

    /// <summary>All there are: what the port itself does not take, its worker finishes.</summary>
    FrameOffloads IPort.Offloads => FrameOffloads.Checksum | FrameOffloads.Tcp | FrameOffloads.Udp;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch) => 0;

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        // Nothing is received.
    }

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets) =>
        links.Write(ring, batch, packets, new HandOverTag(HandOverKind.Transmit, port));

    /// <inheritdoc/>
    public void Flush()
    {
        // The worker publishes all its rings at the end of its round.
    }

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // Nothing is received.
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = default;

    /// <inheritdoc/>
    public void Dispose()
    {
        // The port itself belongs to its worker.
    }
}
