using System.Runtime.InteropServices;
using Dataplane.Capturing;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>Frames on their way from one worker to one other: a bounded ring without locks, and beside each frame what it is there for.</summary>
/// <remarks>
/// Super-frames and packets with unfinished checksums go as they are; what is left to finish stands beside them.
/// Neither that nor the tags need an ordering of their own: they are written before the frames are published and read after they are seen, which is
/// <see cref="FrameRing"/>'s pair of release and acquire. The producing worker calls the upper half, the consuming one the lower.
/// </remarks>
internal sealed class HandOverRing
{
    private readonly FrameRing _frames;
    private readonly HandOverTag[] _tags;
    private readonly bool[] _unfinished;
    private readonly PacketOffload[] _offloads;
    private Ends _ends;

    /// <summary>Allocates a ring.</summary>
    /// <param name="slots">Frames it holds; a power of two.</param>
    /// <param name="maxFrameBytes">The longest of them.</param>
    /// <param name="consumer">The worker at the other end, to be woken when it sleeps.</param>
    public HandOverRing(int slots, int maxFrameBytes, IPortWaker consumer)
    {
        _frames = new FrameRing(slots, FrameRing.HeadroomBytes + ((maxFrameBytes + FrameRing.LineBytes - 1) & -FrameRing.LineBytes));
        _frames.SetWaker(consumer);
        _tags = new HandOverTag[slots];
        _unfinished = new bool[slots];
        _offloads = new PacketOffload[slots];
    }

    /// <summary>Copies packets in; each is then held, or dropped because there was no room.</summary>
    /// <returns>How many are held.</returns>
    public int Write(PacketBatch batch, ReadOnlySpan<short> packets, HandOverTag tag)
    {
        int room = _frames.Reserve(packets.Length);
        int written = _frames.Write(batch, packets[..room], out _);
        foreach (short packet in packets[..room])
        {
            // What is too long for a slot the ring has dropped.
            if (batch.Verdicts[packet] == Verdict.Drop)
            {
                continue;
            }

            batch.Hold(packet, HoldReason.OtherWorker);
            int slot = NextSlot(tag);
            if (batch.HasOffloads && (batch.Marks[packet] & PacketMarks.Unfinished) != 0)
            {
                _unfinished[slot] = true;
                _offloads[slot] = batch.Offloads[packet];
                _offloads[slot].TransportAt -= batch.Offsets[packet];
            }
        }

        foreach (short packet in packets[room..])
        {
            batch.Drop(packet, DropReason.WorkerRingFull);
        }

        return written;
    }

    /// <summary>Copies in one frame that stays a packet here.</summary>
    /// <returns>False when there was no room.</returns>
    public bool TryWriteCopy(ReadOnlySpan<byte> frame, HandOverTag tag)
    {
        if (frame.Length > _frames.MaxFrameBytes || _frames.Reserve(1) == 0)
        {
            return false;
        }

        _frames.Write(frame);
        NextSlot(tag);
        return true;
    }

    /// <summary>Shows the other worker what was written, and wakes it if it sleeps.</summary>
    /// <remarks>Once the packets are counted as held: so no reading finds them decided before they were received.</remarks>
    public void Publish() => _frames.Publish();

    /// <summary>How many frames wait. 0 is an announcement: from then on the next publication calls the waker.</summary>
    public int Waiting => _frames.Available(_frames.Slots);

    /// <summary>Takes frames of one tag, from the oldest on, into a batch made ready for the tag's port.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="most">How many are known to wait; at least 1.</param>
    /// <param name="nowNs">Worker time.</param>
    /// <param name="tag">What the frames are there for.</param>
    /// <returns>How many were taken, to be given back by <see cref="Release"/>.</returns>
    public int Take(PacketBatch batch, int most, long nowNs, out HandOverTag tag)
    {
        uint first = _ends.Taken;
        tag = TagAt(first);
        int count = 1;
        while (count < most && count < PacketBatch.Capacity && TagAt(first + (uint)count) == tag)
        {
            count++;
        }

        batch.Clear(new PortId(tag.Port), nowNs);
        _frames.Take(batch, count, out _);
        for (int packet = 0; packet < count; packet++)
        {
            uint slot = (first + (uint)packet) & (uint)(_tags.Length - 1);
            if (_unfinished[slot])
            {
                PacketOffload offload = _offloads[slot];
                offload.TransportAt += batch.Offsets[packet];
                batch.SetOffload(packet, in offload);
            }
        }

        _ends.Taken += (uint)count;
        batch.Seal();
        return count;
    }

    /// <summary>Gives the slots of the oldest frames taken back.</summary>
    public void Release(int count) => _frames.Release(count);

    /// <summary>Drops what is in the ring, once neither worker runs.</summary>
    public void Discard(PacketBatch batch, WorkerContext context)
    {
        Publish();
        for (int left = Waiting; left > 0;)
        {
            int count = Take(batch, left, 0, out HandOverTag tag);
            for (int packet = 0; packet < count && tag.Kind != HandOverKind.Overheard; packet++)
            {
                context.Counters.CountHeldDropped(DropReason.Stopped);
                context.Tap?.GiveUp(context, batch.Frame(packet), tag.Port, batch.Marks[packet], DropReason.Stopped, tag.Kind == HandOverKind.Transmit ? CaptureOrigin.Relayed : CaptureOrigin.TakenOver);
            }

            left -= count;
            Release(count);
        }
    }

    /// <summary>Goes on to the next slot, for a frame with nothing left to finish.</summary>
    private int NextSlot(HandOverTag tag)
    {
        int slot = (int)(_ends.Written++ & (uint)(_tags.Length - 1));
        _tags[slot] = tag;
        _unfinished[slot] = false;
        return slot;
    }

    private HandOverTag TagAt(uint number) => _tags[number & (uint)(_tags.Length - 1)];

    /// <summary>Each side's own count of frames, on lines (two, for the prefetcher that fetches pairs) that the other does not write.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Ends
    {
        [FieldOffset(128)]
        public uint Written;

        [FieldOffset(256)]
        public uint Taken;
    }
}
