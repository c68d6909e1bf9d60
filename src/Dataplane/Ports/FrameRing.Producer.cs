using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>The producer's side: reserve, write, publish.</summary>
internal sealed partial class FrameRing
{
    /// <summary>How many of <paramref name="wanted"/> frames can be written now.</summary>
    internal int Reserve(int wanted)
    {
        int free = Slots - (int)(_indices.Written - _indices.SeenReleased);
        if (free < wanted || _indices.WriteAt > _front + WarmBytes)
        {
            _indices.SeenReleased = Volatile.Read(ref _indices.Released);
            free = Slots - (int)(_indices.Written - _indices.SeenReleased);
            if (free == Slots)
                _indices.WriteAt = _front;
        }

        return Math.Min(free, wanted);
    }

    /// <summary>Writes one frame for which there is room; not seen by the consumer before <see cref="Publish"/>.</summary>
    internal void Write(ReadOnlySpan<byte> frame)
    {
        int slot = NextRun(1, out _);
        int at = _indices.WriteAt + HeadroomBytes;
        frame.CopyTo(_slab.AsSpan(at));
        _offsets[slot] = at;
        _lengths[slot] = frame.Length;
        Advance(at + WholeLines(frame.Length), 1);
    }

    /// <summary>Writes frames that lie back to back, and for which there is room; not seen by the consumer before <see cref="Publish"/>.</summary>
    /// <param name="frames">The bytes of all.</param>
    /// <param name="lengths">The length of each, all checked.</param>
    internal void Write(ReadOnlySpan<byte> frames, ReadOnlySpan<int> lengths)
    {
        while (lengths.Length > 0)
        {
            int slot = NextRun(lengths.Length, out int run);
            int written = WriteSmall(ref frames, lengths[..run], slot);
            lengths = lengths[written..];
            if (written < run && _indices.WriteAt <= _lastStart)
            {
                Write(frames[..lengths[0]]);
                frames = frames[lengths[0]..];
                lengths = lengths[1..];
            }
        }
    }

    /// <summary>Writes frames of a batch as far as there is room; marks the others with the reason. Not seen before <see cref="Publish"/>.</summary>
    /// <param name="batch">The batch the frames lie in.</param>
    /// <param name="packets">Their numbers, in order.</param>
    /// <param name="bytes">The bytes of those written.</param>
    /// <returns>How many were written.</returns>
    internal int Write(PacketBatch batch, ReadOnlySpan<short> packets, out long bytes)
    {
        uint before = _indices.Written, end = before + (uint)Reserve(packets.Length);
        bytes = 0;
        while (_indices.Written != end && packets.Length > 0)
        {
            int slot = NextRun(Math.Min((int)(end - _indices.Written), packets.Length), out int run);
            int small = WriteSmall(batch, packets[..run], slot, ref bytes);
            int large = WriteLarge(batch, packets[small..run], slot + small, ref bytes);
            packets = packets[(small + large)..];
        }

        foreach (short packet in packets)
            batch.Drop(packet, batch.Lengths[packet] > _maxFrameBytes ? DropReason.FrameTooLong : DropReason.TransmitRingFull);
        return (int)(_indices.Written - before);
    }

    /// <summary>Shows the consumer everything written, and wakes it if it may sleep.</summary>
    internal void Publish()
    {
        if (_indices.Published == _indices.Written)
            return;
        Volatile.Write(ref _indices.Published, _indices.Written);
        // Store, then load of another line: the one order that no processor keeps by itself.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _indices.MaySleep) != 0)
            WakeSleeper();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WakeSleeper()
    {
        if (Interlocked.Exchange(ref _indices.MaySleep, 0) != 0)
            Volatile.Read(ref _waker)?.Wake();
    }

    /// <summary>Finds the next slots in a row, and begins the slab again where its end is reached.</summary>
    /// <param name="wanted">Frames to be written, for which there is room.</param>
    /// <param name="run">How many of them have slots in a row.</param>
    /// <returns>The first slot.</returns>
    private int NextRun(int wanted, out int run)
    {
        Debug.Assert((int)(_indices.Written - _indices.SeenReleased) + wanted <= Slots);
        if (_indices.WriteAt > _lastStart)
            _indices.WriteAt = _front;
        int slot = (int)(_indices.Written & _mask);
        run = Math.Min(wanted, Slots - slot);
        return slot;
    }

    private void Advance(int writeAt, int count)
    {
        _indices.WriteAt = writeAt;
        _indices.Written += (uint)count;
    }

    /// <summary>Writes packets from the first on for as long as they fit one line.</summary>
    /// <remarks>Every frame is copied as a whole line: in the ring the line is its own, in the source the bytes behind it are at hand,
    /// and nobody reads past the length. So the loop has neither a call nor a second branch on the length, and what it needs
    /// stays in registers; copying through <see cref="WriteLarge"/> takes twice as long.</remarks>
    private int WriteSmall(PacketBatch batch, ReadOnlySpan<short> packets, int slot, ref long bytes)
    {
        ReadOnlySpan<byte> source = batch.Memory;
        Span<byte> slab = _slab;
        ref PacketLane<int> from = ref batch.Offsets, lengths = ref batch.Lengths;
        Span<int> offsetsOut = _offsets.AsSpan(slot, packets.Length), lengthsOut = _lengths.AsSpan(slot, packets.Length);
        int at = _indices.WriteAt + HeadroomBytes, last = _lastStart + HeadroomBytes, count = 0;
        for (; count < packets.Length; count++)
        {
            int packet = packets[count], length = lengths[packet], offset = from[packet];
            if ((uint)length > LineBytes || offset > source.Length - LineBytes || at > last)
                break;
            Vector512.Create(source.Slice(offset, LineBytes)).CopyTo(slab.Slice(at, LineBytes));
            offsetsOut[count] = at;
            lengthsOut[count] = length;
            at += HeadroomBytes + LineBytes;
        }

        Advance(at - HeadroomBytes, count);
        bytes += Sum(lengthsOut[..count]);
        return count;
    }

    /// <summary>Writes packets from the first on until one fits a line; drops those that fit no slot.</summary>
    /// <returns>How many packets were written or dropped.</returns>
    private int WriteLarge(PacketBatch batch, ReadOnlySpan<short> packets, int slot, ref long bytes)
    {
        ReadOnlySpan<byte> source = batch.Memory;
        int at = _indices.WriteAt + HeadroomBytes, last = _lastStart + HeadroomBytes, first = slot, done = 0;
        for (; done < packets.Length && at <= last; done++)
        {
            int packet = packets[done], length = batch.Lengths[packet], offset = batch.Offsets[packet];
            if ((uint)length > (uint)_maxFrameBytes)
            {
                batch.Drop(packet, DropReason.FrameTooLong);
                continue;
            }

            if (length <= LineBytes && offset <= source.Length - LineBytes)
                break;
            source.Slice(offset, length).CopyTo(_slab.AsSpan(at));
            _offsets[slot] = at;
            _lengths[slot++] = length;
            at += HeadroomBytes + WholeLines(length);
            bytes += length;
        }

        Advance(at - HeadroomBytes, slot - first);
        return done;
    }

    /// <summary>Writes frames that lie back to back for as long as they fit one line; takes them off the front.</summary>
    private int WriteSmall(ref ReadOnlySpan<byte> frames, ReadOnlySpan<int> lengths, int slot)
    {
        ReadOnlySpan<byte> source = frames;
        Span<byte> slab = _slab;
        Span<int> offsetsOut = _offsets.AsSpan(slot, lengths.Length), lengthsOut = _lengths.AsSpan(slot, lengths.Length);
        int at = _indices.WriteAt + HeadroomBytes, last = _lastStart + HeadroomBytes, offset = 0, count = 0;
        for (; count < lengths.Length; count++)
        {
            int length = lengths[count];
            if ((uint)length > LineBytes || offset > source.Length - LineBytes || at > last)
                break;
            Vector512.Create(source.Slice(offset, LineBytes)).CopyTo(slab.Slice(at, LineBytes));
            offsetsOut[count] = at;
            lengthsOut[count] = length;
            offset += length;
            at += HeadroomBytes + LineBytes;
        }

        frames = source[offset..];
        Advance(at - HeadroomBytes, count);
        return count;
    }

    /// <summary>The bytes of the lines a frame takes; one at least, because small frames are written as a whole line.</summary>
    private static int WholeLines(int length) => Math.Max((length + LineBytes - 1) & -LineBytes, LineBytes);
}
