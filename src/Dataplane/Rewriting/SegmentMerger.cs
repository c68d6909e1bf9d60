using System.Buffers.Binary;
using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Packets;

namespace Dataplane.Rewriting;

/// <summary>Joins consecutive TCP segments of a flow to super-frames (generic receive offload): the reverse of cutting.</summary>
/// <remarks>
/// Theory of operation. Frames are listed where they lie. <see cref="Join"/> looks at their headers in order and says which stand behind which; nothing is written. <see cref="Fill"/> then lays
/// the frames into a batch: where they are, if nothing was joined, else each group behind each other in memory of its own. A segment is joined with the group of its flow only if cutting the
/// super-frame would give every frame back bit for bit: headers the same but for what cutting writes (see <see cref="TcpSegment.RepeatsHeadersOf"/>), the sequence number and IPv4's
/// identification the next, payload as long as the first one's or shorter and then the last, PSH and FIN on the last only, checksums verified; no more than 65,535 bytes. The rules are those of
/// Linux (tcp_gro_receive), but for an IPv4 identification that stays the same. Anything else of a flow ends its group, so that nothing of a flow passes anything else of it; flows pass each other.
/// Nothing waits: what is not joined within one list goes alone. Cost: 10 to 20 ns for a frame's headers; a joined segment is summed once and copied once. One per worker; allocates nothing once made.
/// </remarks>
internal sealed class SegmentMerger
{
    /// <summary>The most frames of a list.</summary>
    public const int Capacity = PacketBatch.Capacity;

    /// <summary>Flows that can be joined at a time; more take the place of the oldest.</summary>
    private const int OpenFlows = 16;

    private const int HeadroomBytes = 64;

    /// <summary>Two bytes more than the head-room put the IP header on a multiple of four.</summary>
    private const int FrameStart = HeadroomBytes + 2;

    /// <summary>Room for four super-frames and what is around them.</summary>
    private const int MemoryBytes = 320 << 10;

    private readonly Entry[] _entries = new Entry[Capacity];
    private readonly Group[] _groups = new Group[Capacity];
    private readonly short[] _open = new short[OpenFlows];
    private byte[] _memory = [];
    private int _groupCount;
    private int _openCount;
    private int _openNext;
    private int _needed;

    /// <summary>Frames listed.</summary>
    public int Count { get; private set; }

    /// <summary>Makes room for joined frames. Before the first list.</summary>
    public void Prepare()
    {
        if (_memory.Length == 0)
        {
            _memory = GC.AllocateUninitializedArray<byte>(MemoryBytes, pinned: true);
        }
    }

    /// <summary>Empties the list.</summary>
    public void Clear() => Count = _needed = 0;

    /// <summary>Lists a frame.</summary>
    /// <param name="offset">From the start of the memory.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="source">Who it is from: frames from different ones are never joined.</param>
    /// <param name="offload">What is left to finish in it; such frames are not joined. <see cref="PacketOffload.TransportAt"/> counts from the start of the memory.</param>
    /// <returns>False when there is no room.</returns>
    public bool TryAdd(int offset, int length, int source, PacketOffload? offload = null)
    {
        int needed = SlotFor(length);
        if (Count == Capacity || _needed + needed > MemoryBytes)
        {
            return false;
        }

        _needed += needed;
        _entries[Count++] = new Entry { Offset = offset, Length = length, Source = source, Next = -1, IsUnfinished = offload is not null, Offload = offload.GetValueOrDefault() };
        return true;
    }

    /// <summary>Finds which frames can be joined.</summary>
    /// <param name="memory">What they lie in.</param>
    /// <returns>How many frames fewer there will be.</returns>
    public int Join(ReadOnlySpan<byte> memory)
    {
        _groupCount = _openCount = _openNext = 0;
        for (int i = 0; i < Count; i++)
        {
            var segment = TcpSegment.Read(memory.Slice(_entries[i].Offset, _entries[i].Length));
            int group = segment.Kind is TcpSegmentKind.Plain or TcpSegmentKind.Other ? FindOpen(segment.Flow) : -1;
            if (segment.Kind == TcpSegmentKind.Strange)
            {
                _openCount = _openNext = 0;
            }

            bool isPlain = segment.Kind == TcpSegmentKind.Plain && !_entries[i].IsUnfinished;
            if (group >= 0 && isPlain && TryJoin(memory, ref _groups[group], i, in segment))
            {
                continue;
            }

            if (group >= 0)
            {
                _groups[group].IsClosed = true;
            }

            _groups[_groupCount] = new Group { Head = (short)i, Tail = (short)i, Count = 1, Bytes = _entries[i].Length, IsClosed = true };
            if (isPlain)
            {
                Open(ref _groups[_groupCount], in segment);
            }

            _groupCount++;
        }

        return Count - _groupCount;
    }

    /// <summary>Leaves every frame alone, where nobody would take a super-frame.</summary>
    /// <returns>0.</returns>
    public int JoinNone()
    {
        for (int i = 0; i < Count; i++)
        {
            _groups[i] = new Group { Head = (short)i, Tail = (short)i, Count = 1, Bytes = _entries[i].Length };
        }

        _groupCount = Count;
        return 0;
    }

    /// <summary>Lays the frames into a batch, in the order of their first segments.</summary>
    /// <param name="source">The batch in whose memory they lie, which offsets count from.</param>
    /// <param name="target">An empty batch.</param>
    /// <param name="sources">Takes who each is from.</param>
    public void Fill(PacketBatch source, PacketBatch target, Span<short> sources)
    {
        bool isInPlace = _groupCount == Count;
        int borrowed = 0, at = 0;
        if (isInPlace)
        {
            borrowed = target.Borrow(source);
        }
        else
        {
            target.SetMemory(_memory);
        }

        for (int number = 0; number < _groupCount; number++)
        {
            ref readonly Group group = ref _groups[number];
            ref readonly Entry head = ref _entries[group.Head];
            int offset = isInPlace ? head.Offset - borrowed : at + FrameStart;
            if (!isInPlace)
            {
                at += SlotFor(group.Bytes);
                Write(source.Memory, in group, _memory.AsSpan(offset, group.Bytes));
            }

            sources[number] = (short)head.Source;
            target.Add(offset, group.Bytes);
            if (head.IsUnfinished)
            {
                target.SetOffload(number, head.Offload with { TransportAt = head.Offload.TransportAt - head.Offset + offset });
            }
            else if (group.Count > 1)
            {
                target.SetOffload(number, Finish(in group, offset));
            }
        }
    }

    private static int SlotFor(int length) => (FrameStart + length + 63) & ~63;

    private int FindOpen(ulong flow)
    {
        for (int k = 0; k < _openCount; k++)
        {
            ref readonly Group group = ref _groups[_open[k]];
            if (group.Flow == flow && !group.IsClosed)
            {
                return _open[k];
            }
        }

        return -1;
    }

    private void Open(ref Group group, in TcpSegment segment)
    {
        group.Flow = segment.Flow;
        group.NextSequence = segment.Sequence + (uint)segment.PayloadBytes;
        group.NextIdentification = segment.IsIpv4 ? (ushort)(segment.Identification + 1) : (ushort)0;
        group.SegmentBytes = segment.PayloadBytes;
        group.HeaderBytes = segment.HeaderBytes;
        group.TransportOffset = segment.TransportOffset;
        group.IsClosed = (segment.Flags & (TcpSegment.Psh | TcpSegment.Fin)) != 0;
        if (group.IsClosed)
        {
            return;
        }

        _open[_openNext] = (short)_groupCount;
        _openNext = (_openNext + 1) % OpenFlows;
        _openCount = Math.Min(_openCount + 1, OpenFlows);
    }

    private bool TryJoin(ReadOnlySpan<byte> memory, ref Group group, int i, in TcpSegment segment)
    {
        ref readonly Entry head = ref _entries[group.Head];
        int payload = segment.PayloadBytes;
        if (segment.Sequence != group.NextSequence || payload > group.SegmentBytes || head.Source != _entries[i].Source
            || group.Bytes + payload > ushort.MaxValue || (segment.IsIpv4 && segment.Identification != group.NextIdentification))
        {
            return false;
        }

        var first = TcpSegment.Read(memory.Slice(head.Offset, head.Length));
        if (!segment.RepeatsHeadersOf(in first) || !segment.IsSound() || (group.Count == 1 && !first.IsSound()))
        {
            return false;
        }

        _entries[group.Tail].Next = (short)i;
        group.Tail = (short)i;
        group.Count++;
        group.Bytes += payload;
        group.NextSequence += (uint)payload;
        group.NextIdentification++;
        group.IsClosed = payload < group.SegmentBytes || (segment.Flags & (TcpSegment.Psh | TcpSegment.Fin)) != 0;
        return true;
    }

    private void Write(ReadOnlySpan<byte> memory, in Group group, Span<byte> target)
    {
        ref readonly Entry head = ref _entries[group.Head];
        memory.Slice(head.Offset, head.Length).CopyTo(target);
        int at = head.Length;
        for (int i = head.Next; i >= 0; i = _entries[i].Next)
        {
            ReadOnlySpan<byte> payload = memory.Slice(_entries[i].Offset + group.HeaderBytes, _entries[i].Length - group.HeaderBytes);
            payload.CopyTo(target[at..]);
            at += payload.Length;
        }

        if (group.Count > 1)
        {
            // PSH and FIN of the last; what stands in the head's place is not set, or it would have been closed.
            target[group.TransportOffset + 13] = memory[_entries[group.Tail].Offset + group.TransportOffset + 13];
        }
    }

    /// <summary>Writes lengths and checksums of a super-frame: IPv4's whole, TCP's as far as the pseudo-header.</summary>
    private PacketOffload Finish(in Group group, int offset)
    {
        Span<byte> packet = _memory.AsSpan(offset, group.Bytes)[TcpSegment.LinkBytes..];
        int network = group.TransportOffset - TcpSegment.LinkBytes, transportBytes = packet.Length - network;
        bool isIpv4 = network == TcpSegment.Ipv4Bytes;
        if (isIpv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)packet.Length);
            packet[10..12].Clear();
            BitConverter.TryWriteBytes(packet[10..], InternetSum.Complement(InternetSum.Add(0, packet[..network])));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)transportBytes);
        }

        const int TcpChecksum = 16;
        ReadOnlySpan<byte> addresses = isIpv4 ? packet.Slice(12, 8) : packet.Slice(8, 32);
        ulong sum = InternetSum.Add(InternetSum.OfWord(IpProtocols.Tcp) + InternetSum.OfWord(transportBytes), addresses);
        BitConverter.TryWriteBytes(packet[(network + TcpChecksum)..], (ushort)~InternetSum.Complement(sum));
        return new PacketOffload
        {
            TransportAt = offset + group.TransportOffset,
            ChecksumOffset = TcpChecksum,
            SegmentBytes = (ushort)group.SegmentBytes,
            HeaderBytes = (ushort)(group.HeaderBytes - TcpSegment.LinkBytes),
            Kind = isIpv4 ? VirtioNet.VIRTIO_NET_HDR_GSO_TCPV4 : VirtioNet.VIRTIO_NET_HDR_GSO_TCPV6,
        };
    }

    private struct Entry
    {
        public PacketOffload Offload;
        public int Offset;
        public int Length;
        public int Source;
        public short Next;
        public bool IsUnfinished;
    }

    private struct Group
    {
        public ulong Flow;
        public uint NextSequence;
        public int Bytes;
        public int SegmentBytes;
        public int HeaderBytes;
        public int TransportOffset;
        public int Count;
        public ushort NextIdentification;
        public short Head;
        public short Tail;
        public bool IsClosed;
    }
}
