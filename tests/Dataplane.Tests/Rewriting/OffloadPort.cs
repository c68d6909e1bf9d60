using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.Tests.Rewriting;

/// <summary>A port in memory that gives frames with offload headers and keeps what it is given, offload headers included.</summary>
internal sealed class OffloadPort(MacAddress mac, FrameOffloads offloads, int mtu = 1500) : IPort, IPortFactory
{
    private const int HeadroomBytes = 66;
    private readonly Queue<Unfinished> _incoming = new();
    private readonly byte[] _memory = new byte[1 << 20];

    public List<Unfinished> Sent { get; } = [];

    public MacAddress Mac => mac;

    public int Mtu => mtu;

    public LinkState Link => LinkState.Up;

    public FileDescriptor? PollDescriptor => null;

    public string Kind => "offload";

    FrameOffloads IPort.Offloads => offloads;

    public IPort Open(string name) => this;

    public void Add(Unfinished frame) => _incoming.Enqueue(frame);

    public int Receive(PacketBatch batch)
    {
        batch.SetMemory(_memory);
        int count = 0;
        for (int at = 0; _incoming.TryPeek(out Unfinished? frame) && at + HeadroomBytes + frame.Bytes.Length <= _memory.Length; count++)
        {
            _incoming.Dequeue();
            int offset = at + HeadroomBytes;
            frame.Bytes.CopyTo(_memory, offset);
            batch.Add(offset, frame.Bytes.Length);
            if (frame.NeedsChecksum)
            {
                batch.SetOffload(count, new PacketOffload
                {
                    TransportAt = offset + frame.ChecksumStart,
                    ChecksumOffset = (ushort)frame.ChecksumOffset,
                    SegmentBytes = (ushort)frame.SegmentBytes,
                    Kind = frame.Kind,
                });
            }

            at = offset + frame.Bytes.Length;
        }

        return count;
    }

    public void Release(PacketBatch batch) => _memory.AsSpan().Fill(0xEE);

    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        int accepted = 0;
        foreach (short packet in packets)
        {
            PacketMarks marks = batch.Marks[packet];
            if (batch.Lengths[packet] > mtu + 18 && (marks & PacketMarks.SuperFrame) == 0)
            {
                batch.Drop(packet, DropReason.FrameTooLong);
                continue;
            }

            PacketOffload offload = (marks & PacketMarks.Unfinished) != 0 ? batch.Offloads[packet] : default;
            int start = (marks & PacketMarks.Unfinished) != 0 ? offload.TransportAt - batch.Offsets[packet] : 0;
            Sent.Add(new Unfinished(batch.Frame(packet).ToArray(), start, offload.ChecksumOffset, offload.Kind, offload.SegmentBytes));
            accepted++;
        }

        return accepted;
    }

    public void Flush()
    {
    }

    public void SetWaker(IPortWaker waker)
    {
    }

    public void ReadStatistics(out PortStatistics statistics) => statistics = default;

    public void Dispose()
    {
    }
}
