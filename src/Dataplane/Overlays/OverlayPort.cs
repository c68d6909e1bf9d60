using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Rewriting;

namespace Dataplane.Overlays;

/// <summary>The port that leads to the endpoints of a network at other hosts: what is sent by it is encapsulated, what comes by it was.</summary>
/// <remarks>It has no ring of its own. Frames for it go into outer packets that its worker routes to the peer; what arrives in outer packets is received in their memory,
/// by the worker that received them.</remarks>
internal sealed class OverlayPort(MacAddress mac, int mtu) : IPort
{
    private OverlayWorker? _worker;
    private long _received;
    private long _receivedBytes;
    private long _transmitted;
    private long _transmittedBytes;
    private long _transmittedSuperFrames;
    private long _refused;

    /// <inheritdoc/>
    public MacAddress Mac => mac;

    /// <inheritdoc/>
    public int Mtu => mtu;

    /// <inheritdoc/>
    public LinkState Link => LinkState.Up;

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => null;

    /// <inheritdoc/>
    public FrameOffloads Offloads { get; private set; }

    /// <summary>Says which worker sends by it. Called by that worker when it takes over tables.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="takesSuperFrames">Whether what is sent goes into outer super-frames; else each frame is one of the wire.</param>
    public void Attach(OverlayWorker worker, bool takesSuperFrames)
    {
        _worker = worker;
        Offloads = takesSuperFrames ? FrameOffloads.Checksum | FrameOffloads.Tcp | FrameOffloads.Udp : FrameOffloads.None;
    }

    /// <inheritdoc/>
    public int Receive(PacketBatch batch) => 0;

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        // The frames belong to the port that received the outer packets.
    }

    /// <summary>Encapsulates. What is accepted is held, not transmitted: it is in the outer packet now, which is counted where it leaves.</summary>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        int accepted = 0, superFrames = 0;
        long bytes = 0;
        foreach (short packet in packets)
        {
            PacketMarks marks = batch.Marks[packet];
            if ((marks & (PacketMarks.Unfinished | PacketMarks.SuperFrame)) == PacketMarks.Unfinished)
            {
                // A checksum inside is nothing that could be left to whoever sends the outer packet.
                UnfinishedChecksums.Complete(batch, packet);
            }

            DropReason reason = _worker is null ? DropReason.LinkDown : _worker.Encapsulate(batch, packet);
            if (reason != DropReason.None)
            {
                batch.Drop(packet, reason);
                continue;
            }

            batch.Hold(packet, HoldReason.Encapsulated);
            accepted++;
            bytes += batch.Lengths[packet];
            superFrames += (marks & PacketMarks.SuperFrame) == 0 ? 0 : 1;
        }

        Volatile.Write(ref _transmitted, _transmitted + accepted);
        Volatile.Write(ref _transmittedBytes, _transmittedBytes + bytes);
        Volatile.Write(ref _transmittedSuperFrames, _transmittedSuperFrames + superFrames);
        Volatile.Write(ref _refused, _refused + packets.Length - accepted);
        return accepted;
    }

    /// <summary>Counts frames that came in outer packets, whichever worker received these.</summary>
    public void CountReceived(int frames, long bytes)
    {
        Interlocked.Add(ref _received, frames);
        Interlocked.Add(ref _receivedBytes, bytes);
    }

    /// <inheritdoc/>
    public void Flush()
    {
        // Outer packets leave with the batch they were made in.
    }

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // Nothing comes but what another port has received.
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = new PortStatistics
    {
        ReceivedPackets = Volatile.Read(ref _received),
        ReceivedBytes = Volatile.Read(ref _receivedBytes),
        TransmittedPackets = Volatile.Read(ref _transmitted),
        TransmittedBytes = Volatile.Read(ref _transmittedBytes),
        TransmitRefused = Volatile.Read(ref _refused),
        TransmittedSuperFrames = Volatile.Read(ref _transmittedSuperFrames),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        // Holds nothing.
    }
}
