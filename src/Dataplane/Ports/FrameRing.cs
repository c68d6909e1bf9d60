using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>A bounded queue of frames from one thread to one other, in one slab of memory that is never moved.</summary>
/// <remarks>
/// <para>The producer reserves, writes and publishes; the consumer looks, takes and releases. Each side works on copies of the
/// other's index and refreshes them with one acquiring read; it publishes its own with one releasing write. The two pairs:
/// <see cref="RingIndices.Published"/> (written in <see cref="Publish"/>, read in <see cref="Available"/>) hands over the bytes and
/// lengths of frames; <see cref="RingIndices.Released"/> (written in <see cref="Release"/>, read in <see cref="Reserve"/>) hands back slots.</para>
/// <para>Memory. Frames lie one behind the other, each behind its head-room and rounded up to whole cache lines, so that small frames
/// share pages and lines instead of having 2 KB each. A frame takes a slot's size at most, and the slab is one slot larger than all slots together:
/// with fewer than all slots in use there is always room for one more, so counting frames is the only check. When the ring is empty, writing
/// begins at the front again: a consumer that keeps up sees the same few kilobytes, which stay in its cache.</para>
/// <para>Sleeping. A consumer that finds the ring empty sets <see cref="RingIndices.MaySleep"/>, passes a full fence and looks once
/// more. A producer publishes, passes a full fence and looks at the flag. Whatever the order, one of the two sees the other's write:
/// either the consumer finds the frame or the producer finds the flag and calls the waker. The flag is taken down with an
/// interlocked exchange and not with a plain write, because a plain write could sit in the producer's store buffer and wipe out
/// a flag that the consumer sets later. A waker that does nothing while its thread is awake must itself be correct against a thread
/// that announces sleep, fences, and then looks at the ring again; the fence here stands between publication and its look.</para>
/// </remarks>
internal sealed partial class FrameRing
{
    /// <summary>Free bytes before every frame; the contract of <see cref="IPort"/> asks for 64.</summary>
    internal const int HeadroomBytes = 128;

    /// <summary>Bytes of a cache line; frames begin on one.</summary>
    internal const int LineBytes = 64;

    /// <summary>Bytes from the front that are used without asking whether the ring has run empty meanwhile.</summary>
    private const int WarmBytes = 32 << 10;

    private readonly byte[] _slab;
    private readonly int[] _offsets;
    private readonly int[] _lengths;
    private readonly uint _mask;
    private readonly int _maxFrameBytes;
    private readonly int _front;
    private readonly int _lastStart;
    private IPortWaker? _waker;
    private RingIndices _indices;

    /// <summary>Allocates a ring.</summary>
    /// <param name="slots">Frames it can hold; a power of two.</param>
    /// <param name="slotBytes">Bytes per slot with head-room; a multiple of 64.</param>
    /// <param name="start">First value of all indices; tests begin close to the overflow.</param>
    internal FrameRing(int slots, int slotBytes, uint start = 0)
    {
        Debug.Assert(BitOperations.IsPow2(slots) && slotBytes % LineBytes == 0 && slotBytes > HeadroomBytes);
        _slab = GC.AllocateArray<byte>(((slots + 1) * slotBytes) + LineBytes, pinned: true);
        _front = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(_slab, 0) & (LineBytes - 1));
        _lastStart = _front + (slots * slotBytes);
        _offsets = new int[slots];
        _lengths = new int[slots];
        _mask = (uint)slots - 1;
        _maxFrameBytes = slotBytes - HeadroomBytes;
        _indices = new RingIndices
        {
            Published = start,
            Written = start,
            SeenReleased = start,
            Released = start,
            Taken = start,
            SeenPublished = start,
            WriteAt = _front,
        };
    }

    /// <summary>The longest frame that a slot holds, in bytes.</summary>
    internal int MaxFrameBytes => _maxFrameBytes;

    /// <summary>Frames the ring can hold.</summary>
    internal int Slots => _offsets.Length;

    /// <summary>Frames published and not yet released. Any thread; at once out of date.</summary>
    internal int Pending
    {
        get
        {
            // Released first: it never overtakes Published, so the difference cannot come out negative.
            uint released = Volatile.Read(ref _indices.Released);
            return (int)(Volatile.Read(ref _indices.Published) - released);
        }
    }

    /// <summary>Whether the consumer has released everything published and then looked again and found nothing. For the producer's thread.</summary>
    /// <remarks>The order of the two looks matters: the flag is down whenever a frame is taken, so a flag seen up after the last release was set after it.</remarks>
    internal bool IsDrained => Pending == 0 && Volatile.Read(ref _indices.MaySleep) != 0;

    /// <summary>Sets whom to wake. Any thread; takes effect for a consumer that looks at the ring after it.</summary>
    internal void SetWaker(IPortWaker? waker) => Volatile.Write(ref _waker, waker);

    /// <summary>Wakes the consumer for a reason other than a frame.</summary>
    internal void WakeConsumer() => Volatile.Read(ref _waker)?.Wake();

    /// <summary>How many frames can be taken now, at least when there are fewer than <paramref name="enough"/> in sight.</summary>
    /// <remarks>0 is an announcement: from then on the next publication calls the waker.</remarks>
    internal int Available(int enough)
    {
        uint available = _indices.SeenPublished - _indices.Taken;
        if (available < (uint)enough)
        {
            _indices.SeenPublished = Volatile.Read(ref _indices.Published);
            available = _indices.SeenPublished - _indices.Taken;
            if (available == 0)
                return AnnounceSleep();
            if (_indices.MaySleep != 0)
                Volatile.Write(ref _indices.MaySleep, 0);
        }

        return (int)available;
    }

    /// <summary>Takes frames into a batch, in place.</summary>
    /// <param name="batch">The batch; its memory becomes the slab.</param>
    /// <param name="bytes">The bytes of those taken.</param>
    /// <returns>How many were taken.</returns>
    internal int Take(PacketBatch batch, out long bytes) => Take(batch, PacketBatch.Capacity, out bytes);

    /// <summary>Takes frames into a batch, in place.</summary>
    /// <param name="batch">The batch; its memory becomes the slab.</param>
    /// <param name="most">The largest number to take.</param>
    /// <param name="bytes">The bytes of those taken.</param>
    /// <returns>How many were taken.</returns>
    internal int Take(PacketBatch batch, int most, out long bytes)
    {
        Span<int> offsets = batch.FreeOffsets;
        most = Math.Min(most, offsets.Length);
        int count = Math.Min(Available(most), most);
        bytes = 0;
        if (count == 0)
            return 0;

        // Offset and length are kept the way the batch keeps them, so that both are plain copies: one, or two where the ring ends.
        Span<int> lengths = batch.FreeLengths[..count];
        int first = (int)(_indices.Taken & _mask);
        int run = Math.Min(count, Slots - first);
        _offsets.AsSpan(first, run).CopyTo(offsets);
        _lengths.AsSpan(first, run).CopyTo(lengths);
        _offsets.AsSpan(0, count - run).CopyTo(offsets[run..]);
        _lengths.AsSpan(0, count - run).CopyTo(lengths[run..]);
        batch.SetMemory(_slab);
        batch.AddFilled(count);
        bytes = Sum(lengths);
        _indices.Taken += (uint)count;
        return count;
    }

    /// <summary>Takes frames out of sight of the next look, without copying them; read them with <see cref="TakenFrame"/>.</summary>
    /// <returns>How many were taken, <paramref name="most"/> at most.</returns>
    internal int Take(int most)
    {
        int count = Math.Min(Available(most), most);
        _indices.Taken += (uint)count;
        return count;
    }

    /// <summary>A frame that was taken and not released.</summary>
    /// <param name="back">1 is the frame taken last.</param>
    internal ReadOnlySpan<byte> TakenFrame(int back)
    {
        Debug.Assert((uint)back <= _indices.Taken - _indices.Released);
        int slot = (int)((_indices.Taken - (uint)back) & _mask);
        return _slab.AsSpan(_offsets[slot], _lengths[slot]);
    }

    /// <summary>Gives the oldest taken slots back to the producer.</summary>
    internal void Release(int count)
    {
        Debug.Assert((uint)count <= _indices.Taken - _indices.Released, "released more than was received");
        Volatile.Write(ref _indices.Released, _indices.Released + (uint)count);
    }

    /// <summary>Gives every taken slot back; does nothing when that was done.</summary>
    internal void ReleaseTaken() => Volatile.Write(ref _indices.Released, _indices.Taken);

    /// <summary>Whether frames are taken and not released.</summary>
    internal bool HasTaken => _indices.Taken != _indices.Released;

    /// <summary>Cold on purpose: only a ring that runs empty comes here.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AnnounceSleep()
    {
        Volatile.Write(ref _indices.MaySleep, 1);
        Interlocked.MemoryBarrier();
        _indices.SeenPublished = Volatile.Read(ref _indices.Published);
        int available = (int)(_indices.SeenPublished - _indices.Taken);
        if (available > 0)
            Volatile.Write(ref _indices.MaySleep, 0);
        return available;
    }

    /// <summary>Adds up lengths and finds the longest; a negative one counts as very long.</summary>
    internal static long Measure(ReadOnlySpan<int> lengths, out uint longest)
    {
        ReadOnlySpan<Vector256<uint>> lanes = MemoryMarshal.Cast<int, Vector256<uint>>(lengths);
        Vector256<uint> most = Vector256<uint>.Zero;
        foreach (Vector256<uint> lane in lanes)
            most = Vector256.Max(most, lane);
        longest = 0;
        for (int i = 0; i < Vector256<uint>.Count; i++)
            longest = Math.Max(longest, most[i]);
        foreach (int length in lengths[(lanes.Length * Vector256<uint>.Count)..])
            longest = Math.Max(longest, (uint)length);

        // Sums of lanes hold 32 bits, so frames are added up in runs that cannot overflow them, unless one of them is too long anyway.
        long total = 0;
        for (ReadOnlySpan<int> rest = lengths; rest.Length > 0; rest = rest[Math.Min(rest.Length, PacketBatch.Capacity)..])
            total += Sum(rest[..Math.Min(rest.Length, PacketBatch.Capacity)]);
        return total;
    }

    private static long Sum(ReadOnlySpan<int> values)
    {
        // A batch is 256 frames of at most 65,408 bytes: the lanes cannot overflow.
        ReadOnlySpan<Vector256<int>> lanes = MemoryMarshal.Cast<int, Vector256<int>>(values);
        Vector256<int> sums = Vector256<int>.Zero;
        foreach (Vector256<int> lane in lanes)
            sums += lane;
        long sum = Vector256.Sum(sums);
        foreach (int value in values[(lanes.Length * Vector256<int>.Count)..])
            sum += value;
        return sum;
    }
}
