using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port whose frames travel over a byte stream: the worker's end of two rings, of which the <see cref="StreamLink"/> has the other.</summary>
/// <remarks>Cost per frame: one copy into or out of a ring on the worker; a second copy, the encryption and the system calls, which carry many frames
/// each, are the thread pool's. The worker allocates nothing, waits for nothing and makes no system call but the one that wakes a sleeping loop.</remarks>
internal sealed class StreamPort : IPort
{
    private readonly FrameRing _received;
    private readonly FrameRing _toSend;
    private readonly StreamLink _link;
    private long _receivedPackets;
    private long _receivedBytes;
    private long _transmittedPackets;
    private long _transmittedBytes;
    private long _refused;

    /// <summary>Opens the port; its link comes up when a peer is there.</summary>
    /// <exception cref="IOException">The address cannot be listened at, or a certificate cannot be read.</exception>
    public StreamPort(StreamSettings settings)
    {
        Mac = settings.Mac;
        Mtu = settings.Mtu;
        _received = settings.MakeRing();
        _link = new StreamLink(settings, _received);
        _toSend = _link.ToSend;
    }

    /// <inheritdoc/>
    public MacAddress Mac { get; }

    /// <inheritdoc/>
    public int Mtu { get; }

    /// <inheritdoc/>
    public LinkState Link => _link.IsUp ? LinkState.Up : LinkState.Down;

    /// <inheritdoc/>
    public string LinkReason => _link.IsUp ? "" : _link.Reason;

    /// <inheritdoc/>
    public string Description => _link.Description;

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => null;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        int count = _received.Take(batch, out long bytes);
        if (count > 0)
        {
            Volatile.Write(ref _receivedPackets, _receivedPackets + count);
            Volatile.Write(ref _receivedBytes, _receivedBytes + bytes);
        }

        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        _received.Release(batch.Count);
        _link.NoteRoom();
    }

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        if (!_link.IsUp)
            return RefuseAll(batch, packets);
        int count = _toSend.Write(batch, packets, out long bytes);
        Volatile.Write(ref _transmittedPackets, _transmittedPackets + count);
        Volatile.Write(ref _transmittedBytes, _transmittedBytes + bytes);
        Volatile.Write(ref _refused, _refused + packets.Length - count);
        return count;
    }

    /// <inheritdoc/>
    public void Flush() => _toSend.Publish();

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker) => _received.SetWaker(waker);

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = new PortStatistics
    {
        ReceivedPackets = Volatile.Read(ref _receivedPackets),
        ReceivedBytes = Volatile.Read(ref _receivedBytes),
        TransmittedPackets = Volatile.Read(ref _transmittedPackets),
        TransmittedBytes = Volatile.Read(ref _transmittedBytes),
        TransmitRefused = Volatile.Read(ref _refused),
        TransmitLost = _link.Lost,
        Errors = _link.Malformed,
    };

    /// <inheritdoc/>
    public IReadOnlyList<PortEvent> ReadEvents() => _link.ReadEvents();

    /// <summary>Sends what is queued, for as long as the peer takes it but a second at most, and closes.</summary>
    public void Dispose()
    {
        _toSend.Publish();
        _received.SetWaker(null);
        _link.Dispose();
    }

    private int RefuseAll(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        foreach (short packet in packets)
            batch.Drop(packet, DropReason.LinkDown);
        Volatile.Write(ref _refused, _refused + packets.Length);
        return 0;
    }
}
