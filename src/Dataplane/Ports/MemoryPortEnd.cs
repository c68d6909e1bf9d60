using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>The engine's end of a <see cref="MemoryPort"/>.</summary>
internal sealed class MemoryPortEnd : IPort
{
    private readonly FrameRing _receive;
    private readonly FrameRing _transmit;
    private readonly MemoryLink _link;
    private readonly Action _closed;
    private PortStatistics _statistics;
    private bool _disposed;

    internal MemoryPortEnd(FrameRing receive, FrameRing transmit, MemoryLink link, MacAddress mac, int mtu, Action closed)
    {
        _receive = receive;
        _transmit = transmit;
        _link = link;
        _closed = closed;
        Mac = mac;
        Mtu = mtu;
    }

    /// <inheritdoc/>
    public MacAddress Mac { get; }

    /// <inheritdoc/>
    public int Mtu { get; }

    /// <inheritdoc/>
    public LinkState Link => _link.State;

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => null;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        int count = _receive.Take(batch, out long bytes);
        _statistics.ReceivedPackets += count;
        _statistics.ReceivedBytes += bytes;
        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch) => _receive.Release(batch.Count);

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        if (!_link.IsUp)
            return RefuseAll(batch, packets);
        int count = _transmit.Write(batch, packets, out long bytes);
        _statistics.TransmittedPackets += count;
        _statistics.TransmittedBytes += bytes;
        _statistics.TransmitRefused += packets.Length - count;
        return count;
    }

    /// <inheritdoc/>
    public void Flush() => _transmit.Publish();

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker) => _receive.SetWaker(waker);

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = _statistics;

    /// <summary>Publishes what was transmitted, gives back what was received and frees the port for another engine.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _transmit.Publish();
        _receive.SetWaker(null);
        _receive.ReleaseTaken();
        _closed();
    }

    private int RefuseAll(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        foreach (short packet in packets)
            batch.Drop(packet, DropReason.LinkDown);
        _statistics.TransmitRefused += packets.Length;
        return 0;
    }
}
