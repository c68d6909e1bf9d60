using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>One worker's ends of the rings to and from each of the others.</summary>
internal sealed class WorkerLinks
{
    /// <summary>Frames a ring holds: several batches, so that a worker that is busy with one does not lose the next.</summary>
    public const int RingSlots = 1024;

    /// <summary>Super-frames are as long as forty packets, and rings for them shorter: a quarter of the memory is still sixteen times as much.</summary>
    private const int LongRingSlots = 256, LongBytes = 16 << 10;

    private readonly HandOverRing?[] _to;
    private readonly short[] _packets = new short[PacketBatch.Capacity];

    /// <summary>Collects the ends of one worker.</summary>
    /// <param name="to">By worker; null for itself.</param>
    /// <param name="from">Those of all others.</param>
    public WorkerLinks(HandOverRing?[] to, HandOverRing[] from)
    {
        _to = to;
        From = from;
    }

    /// <summary>The rings that bring frames.</summary>
    public HandOverRing[] From { get; }

    /// <summary>Packets handed over to others, whether to be forwarded or to be sent. Any thread may read it.</summary>
    public long HandedOver { get; private set; }

    /// <summary>Packets taken over from others. Any thread may read it.</summary>
    public long TakenOver { get; set; }

    /// <summary>Copies of neighbour messages that another worker has not got because its ring was full.</summary>
    public long CopiesLost { get; private set; }

    /// <summary>Frames that a ring for packets up to a length holds.</summary>
    public static int SlotsFor(int maxPacketBytes) => maxPacketBytes > LongBytes ? LongRingSlots : RingSlots;

    /// <summary>A port of another worker as this one sees it.</summary>
    public IPort PortOf(int worker, ushort port) => new RemotePort(this, _to[worker]!, port);

    /// <summary>Hands over packets that belong to others.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="owners">By packet: the worker it belongs to, or -1 for those that stay.</param>
    /// <param name="kind">What they are to do with them.</param>
    public void HandOver(PacketBatch batch, ReadOnlySpan<sbyte> owners, HandOverKind kind)
    {
        var tag = new HandOverTag(kind, batch.Port.Value);
        for (int worker = 0; worker < _to.Length; worker++)
        {
            int count = 0;
            for (int i = 0; i < owners.Length; i++)
            {
                _packets[count] = (short)i;
                count += owners[i] == worker ? 1 : 0;
            }

            if (count > 0)
            {
                Write(_to[worker]!, batch, _packets.AsSpan(0, count), tag);
            }
        }
    }

    /// <summary>Writes packets into a ring and counts them.</summary>
    public int Write(HandOverRing ring, PacketBatch batch, ReadOnlySpan<short> packets, HandOverTag tag)
    {
        int written = ring.Write(batch, packets, tag);
        HandedOver += written;
        return written;
    }

    /// <summary>Lets all others see a message from a neighbour.</summary>
    public void Tell(ReadOnlySpan<byte> frame, ushort port)
    {
        foreach (HandOverRing? ring in _to)
        {
            if (ring is not null && !ring.TryWriteCopy(frame, new HandOverTag(HandOverKind.Overheard, port)))
            {
                CopiesLost++;
            }
        }
    }

    /// <summary>Shows the others what was written for them. At the end of a round, when everything is counted.</summary>
    public void Publish()
    {
        foreach (HandOverRing? ring in _to)
        {
            ring?.Publish();
        }
    }
}
