using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>Many searches for a free slot side by side: each goes through the slots of a table by steps of its own until it finds one that is free.</summary>
/// <remarks>
/// One search after the other costs a wrong guess of the processor each, when its loop ends, as much time as several steps take. Side by side nothing is
/// guessed: eight look at two slots each, those that have found one are put aside, and the others stand together again for the next two. What limits it
/// then are the gathers, one for eight slots; four slots at a time were no faster.
/// </remarks>
internal static unsafe class FreeSlotSearch
{
    /// <summary>The most searches at once.</summary>
    internal const int MaxCount = 256;

    private const int Lanes = 8, Room = MaxCount + Lanes, NumberAt = 23, StepMask = (1 << NumberAt) - 1;

    /// <summary>Moves every search on to the first free slot on its way, which may be the one it stands at.</summary>
    /// <remarks>Slots are looked at and not taken: several may find the same. One slot must be free at least.</remarks>
    /// <param name="free">One bit for each slot; at least <paramref name="size"/> of them.</param>
    /// <param name="size">All slots, a prime below 2^23, so that every search comes by all of them.</param>
    /// <param name="slots">Where the searches stand, 0 to the size - 1; at most <see cref="MaxCount"/>.</param>
    /// <param name="steps">From a slot to the next, 1 to the size - 1, for each search.</param>
    /// <exception cref="ArgumentException">A number out of range, or more searches than steps.</exception>
    internal static void Run(ReadOnlySpan<ulong> free, int size, Span<int> slots, ReadOnlySpan<int> steps)
    {
        Check(free, size, slots, steps);
        fixed (ulong* words = free)
        fixed (int* slot = slots, step = steps)
        {
            if (VectorWidth.Use512 && Avx512F.VL.IsSupported)
                RunVectors((uint*)words, size, slot, step, slots.Length);
            else
                RunScalar((uint*)words, size, slot, step, slots.Length);
        }
    }

    /// <summary>The same, one search after the other.</summary>
    internal static void RunScalar(ReadOnlySpan<ulong> free, int size, Span<int> slots, ReadOnlySpan<int> steps)
    {
        Check(free, size, slots, steps);
        fixed (ulong* words = free)
        fixed (int* slot = slots, step = steps)
            RunScalar((uint*)words, size, slot, step, slots.Length);
    }

    private static void RunScalar(uint* free, int size, int* slots, int* steps, int count)
    {
        for (int i = 0; i < count; i++)
            slots[i] = Find(free, size, slots[i], steps[i]);
    }

    private static int Find(uint* free, int size, int slot, int step)
    {
        while ((free[slot >> 5] >> slot & 1) == 0)
        {
            // In loops the compiler makes a branch of a choice, one that would be guessed wrong every other time.
            slot += step - size;
            slot += (slot >> 31) & size;
        }

        return slot;
    }

    [SkipLocalsInit]
    private static void RunVectors(uint* free, int size, int* slots, int* steps, int count)
    {
        // A search is where it stands, and its step with its number above it.
        int* at = stackalloc int[Room], by = stackalloc int[Room], foundAt = stackalloc int[Room], found = stackalloc int[Room];
        for (int i = 0; i < count; i++)
            (at[i], by[i]) = (slots[i], steps[i] | (i << NumberAt));

        // Behind the last there are slots of the table, too: eight are read at once.
        Vector256.Store(Vector256<int>.Zero, at + count);
        Vector256.Store(Vector256<int>.Zero, by + count);
        Vector256<int> lanes = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7), all = Vector256.Create(size), stepMask = Vector256.Create(StepMask);
        int foundCount = 0, left = count;
        for (int few = count / Lanes; left > few;)
        {
            int pending = left;
            left = 0;
            for (int i = 0; i < pending; i += Lanes)
            {
                Vector256<int> first = Vector256.Load(at + i), search = Vector256.Load(by + i), step = search & stepMask;
                Vector256<int> second = Next(first, step, all);
                Vector256<int> isFirst = Look(free, first), isSecond = Look(free, second);
                Vector256<int> here = Vector256.LessThan(lanes, Vector256.Create(pending - i));
                Vector256<int> isFree = Vector256.LessThan((isFirst | isSecond) & here, Vector256<int>.Zero), isTaken = Vector256.AndNot(here, isFree);
                Vector256<int> slot = Vector256.ConditionalSelect(Vector256.LessThan(isFirst, Vector256<int>.Zero), first, second);
                Vector256.Store(Avx512F.VL.Compress(Vector256<int>.Zero, isTaken, Next(second, step, all)), at + left);
                Vector256.Store(Avx512F.VL.Compress(Vector256<int>.Zero, isTaken, search), by + left);
                Vector256.Store(Avx512F.VL.Compress(Vector256<int>.Zero, isFree, slot), foundAt + foundCount);
                Vector256.Store(Avx512F.VL.Compress(Vector256<int>.Zero, isFree, search), found + foundCount);
                left += BitOperations.PopCount(isTaken.ExtractMostSignificantBits());
                foundCount += BitOperations.PopCount(isFree.ExtractMostSignificantBits());
            }
        }

        for (int i = 0; i < foundCount; i++)
            slots[found[i] >>> NumberAt] = foundAt[i];
        for (int i = 0; i < left; i++)
            slots[by[i] >>> NumberAt] = Find(free, size, at[i], by[i] & StepMask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Next(Vector256<int> slot, Vector256<int> step, Vector256<int> all)
    {
        Vector256<int> next = slot + step;
        return Vector256.Min(next.AsUInt32(), (next - all).AsUInt32()).AsInt32();
    }

    /// <summary>The bits of slots, as signs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Look(uint* free, Vector256<int> slot)
    {
        Vector256<int> words = Avx2.GatherVector256((int*)free, Vector256.ShiftRightLogical(slot, 5), sizeof(uint));
        return Avx2.ShiftLeftLogicalVariable(words, Vector256.AndNot(Vector256.Create(31), slot).AsUInt32());
    }

    private static void Check(ReadOnlySpan<ulong> free, int size, ReadOnlySpan<int> slots, ReadOnlySpan<int> steps)
    {
        if (free.Length * 64L < size || size > StepMask || slots.Length > MaxCount || steps.Length < slots.Length
            || slots.ContainsAnyExceptInRange(0, size - 1) || steps[..slots.Length].ContainsAnyExceptInRange(1, size - 1))
        {
            throw new ArgumentException("Slots and steps are to be within the table, no more than MaxCount, and of each search.");
        }
    }
}
