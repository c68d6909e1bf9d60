using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>Reads the table of an IPv6 longest-prefix match, without bounds checks: 16 bits of the address at a time, by comparing, not by indexing.</summary>
/// <remarks>
/// The root has one entry for each of the first 16 bits. An entry is a value (0 for no route), or has the top bit set and leads to
/// a block that divides the next 16 bits into runs of one entry each: bits 5 to 29 are where the block is, in bytes, since blocks begin at multiples of 32;
/// bits 0 to 4 are its shape; bit 30 says that it is narrow: its entries are bytes and all of them values. Shapes:
/// <list type="bullet">
/// <item>A line (0, 16 and 24): the last address of each run but the last, padded with 0xFFFF to 32 places less the shape, then the entries. The number
/// of ends below the address is the number of its run: one vector comparison. A narrow line has 8 or 16 places and is one cache line, or half of one.</item>
/// <item>Lines (1): one line of the last ends of up to 33 groups, then the groups, each a line of 32 ends and, unless narrow, 32 entries.
/// The entries of a narrow block stand before it, those of the first group last.</item>
/// <item>A map (2, never narrow): for each 64 cells a mask of the cells where runs end and the number of runs behind the mask, 16 bytes, then the entries from
/// the last to the first.</item>
/// </list>
/// An internet table is looked up in three steps: root, map (of a registry's block), line (of a holder's /32).
/// Where an entry leads is taken modulo the region's capacity, and the region has guards before and behind it that are longer than any block:
/// a damaged table gives wrong answers or stops the process, but never reads elsewhere.
/// </remarks>
public static unsafe class Ipv6PrefixKernel
{
    /// <summary>Bytes of a root: one entry for each of the first 16 bits.</summary>
    public const int RootBytes = sizeof(uint) << 16;

    /// <summary>The unit in which blocks are counted, in bytes: half a cache line. Blocks of an even number of them begin at a cache line.</summary>
    public const int BlockBytes = 32;

    /// <summary>Capacity that a region of blocks has: 1 GB.</summary>
    public const int BlockCapacityBytes = 1 << 30;

    /// <summary>In an entry: a block follows.</summary>
    public const uint BlockFlag = 0x8000_0000;

    /// <summary>In an entry: where the block is, in bytes.</summary>
    public const uint OffsetMask = BlockCapacityBytes - BlockBytes;

    /// <summary>In an entry that leads to a block: its entries are bytes.</summary>
    public const uint NarrowFlag = 0x4000_0000;

    /// <summary>Shape of a block of lines.</summary>
    public const uint LinesShape = 1;

    /// <summary>Shape of a map.</summary>
    public const uint MapShape = 2;

    /// <summary>Bytes of the masks and counts of a map.</summary>
    public const int MapHeadBytes = 16 << 10;

    /// <summary>Bytes of a group of a block of lines: 32 ends and 32 entries.</summary>
    public const int GroupBytes = 64 + 128;

    private const uint ShapeMask = BlockFlag | NarrowFlag | (BlockBytes - 1);
    private const int NarrowGroupBytes = 32;
    private const int Chunk = 256;

    /// <summary>Looks up one address.</summary>
    /// <param name="root">At least <see cref="RootBytes"/> long.</param>
    /// <param name="blocks">Of exactly <see cref="BlockCapacityBytes"/> capacity.</param>
    /// <param name="high">Upper 64 bits in host order.</param>
    /// <param name="low">Lower 64 bits in host order.</param>
    /// <returns>The value, 0 for none.</returns>
    /// <exception cref="ArgumentException">A region of another size.</exception>
    public static int Lookup(MappedRegion root, GrowingRegion blocks, ulong high, ulong low)
    {
        uint* first = Check(root, blocks);
        return (int)Walk<Vectors>(blocks.Start, first[high >> 48], high, low, 1);
    }

    /// <summary>Looks up many addresses; the fast path, step by step for up to 256 at a time, so that their cache misses overlap.</summary>
    /// <param name="root">At least <see cref="RootBytes"/> long.</param>
    /// <param name="blocks">Of exactly <see cref="BlockCapacityBytes"/> capacity.</param>
    /// <param name="high">Upper 64 bits in host order.</param>
    /// <param name="low">Lower 64 bits in host order.</param>
    /// <param name="values">Gets a value for each address, 0 for none.</param>
    /// <exception cref="ArgumentException">A region of another size, or fewer values or lower halves than upper ones.</exception>
    public static void Lookup(MappedRegion root, GrowingRegion blocks, ReadOnlySpan<ulong> high, ReadOnlySpan<ulong> low, Span<int> values)
    {
        uint* first = Check(root, blocks);
        CheckLengths(high.Length, low.Length, values.Length);
        fixed (ulong* highs = high, lows = low)
        fixed (int* value = values)
        {
            for (int done = 0; done < high.Length; done += Chunk)
                LookupChunk(first, blocks.Start, highs + done, lows + done, (uint*)value + done, Math.Min(Chunk, high.Length - done));
        }

        GC.KeepAlive(root);
        GC.KeepAlive(blocks);
    }

    /// <summary>As the other, one address after the other and without vectors: the reference.</summary>
    /// <inheritdoc cref="Lookup(MappedRegion, GrowingRegion, ReadOnlySpan{ulong}, ReadOnlySpan{ulong}, Span{int})"/>
    public static void LookupScalar(MappedRegion root, GrowingRegion blocks, ReadOnlySpan<ulong> high, ReadOnlySpan<ulong> low, Span<int> values)
    {
        uint* first = Check(root, blocks);
        CheckLengths(high.Length, low.Length, values.Length);
        for (int i = 0; i < high.Length; i++)
            values[i] = (int)Walk<Scalars>(blocks.Start, first[high[i] >> 48], high[i], low[i], 1);
    }

    [SkipLocalsInit]
    private static void LookupChunk(uint* root, byte* blocks, ulong* high, ulong* low, uint* values, int count)
    {
        byte* inLine = stackalloc byte[3 * Chunk];
        byte* inLines = inLine + Chunk, elsewhere = inLines + Chunk;
        Counts found = FirstSteps(root, blocks, high, values, count, inLine, inLines, elsewhere);
        for (nint j = 0; j < found.InLine; j++)
        {
            nint i = inLine[j];
            values[i] = InNarrowLine<Vectors>(blocks, values[i], (ushort)(high[i] >> 16));
        }

        for (nint j = 0; j < found.InLines; j++)
        {
            nint i = inLines[j];
            values[i] = InNarrowLines<Vectors>(blocks + (values[i] & OffsetMask), (ushort)(high[i] >> 16));
        }

        Finish(blocks, high, low, values, elsewhere, found.Elsewhere);
    }

    /// <summary>Root and map, the way of nearly all addresses; makes lists of those that go on, by the shape of what they go on to.</summary>
    private static Counts FirstSteps(uint* root, byte* blocks, ulong* high, uint* values, nint count, byte* inLine, byte* inLines, byte* elsewhere)
    {
        byte* line = inLine, lines = inLines, other = elsewhere;
        for (nint i = 0; i < count; i++)
        {
            ulong address = high[i];

            // Read once: a writer may change it meanwhile, and what is written down must be what the lists were made by.
            uint first = root[address >> 48], entry = first;
            if ((entry & ShapeMask) == (BlockFlag | MapShape))
            {
                entry = InMap(blocks + (entry & OffsetMask), address >> 32);
                if (Sse.IsSupported)
                    Sse.Prefetch0(blocks + (entry & OffsetMask));

                // Written to both lists and kept in the right one, if any: cheaper than a branch that cannot be foreseen.
                uint isBlock = entry >> 31, isNarrow = (entry >> 30) & isBlock, isLine = (entry >> 4) & isNarrow;
                *line = (byte)i;
                line += isLine;
                *lines = (byte)i;
                lines += isLine ^ isNarrow;
                values[i] = entry;
                if (isBlock == isNarrow)
                    continue;
            }

            values[i] = first;
            *other = (byte)i;
            other += entry >> 31;
        }

        return new Counts { InLine = (int)(line - inLine), InLines = (int)(lines - inLines), Elsewhere = (int)(other - elsewhere) };
    }

    /// <summary>The others, from the root: wide blocks, and what is deeper than a /48.</summary>
    private static void Finish(byte* blocks, ulong* high, ulong* low, uint* values, byte* list, int count)
    {
        for (int j = 0; j < count; j++)
        {
            int i = list[j];
            values[i] = Walk<Vectors>(blocks, values[i], high[i], low[i], 1);
        }
    }

    /// <summary>From an entry down to a value.</summary>
    /// <param name="blocks">Start of the blocks.</param>
    /// <param name="entry">Found so far.</param>
    /// <param name="high">Upper half of the address.</param>
    /// <param name="low">Lower half of the address.</param>
    /// <param name="level">Which 16 bits the entry's block divides, 1 to 7.</param>
    private static uint Walk<T>(byte* blocks, uint entry, ulong high, ulong low, int level)
        where T : struct, ICounter
    {
        // A damaged table could lead deeper than an address is long; a sound one ends at a value before.
        for (; (entry & BlockFlag) != 0 && level < 8; level++)
        {
            ushort cell = (ushort)((level < 4 ? high : low) >> ((3 - (level & 3)) * 16));
            byte* block = blocks + (entry & OffsetMask);
            entry = (entry & (NarrowFlag | (BlockBytes - 1))) switch
            {
                MapShape => InMap(block, cell),
                LinesShape => InLines<T>(block, cell),
                LinesShape | NarrowFlag => InNarrowLines<T>(block, cell),
                < NarrowFlag => InLine<T>(blocks, entry, cell),
                _ => InNarrowLine<T>(blocks, entry, cell),
            };
        }

        return entry;
    }

    /// <summary>The last 16 bits of <paramref name="address"/> are the cell.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InMap(byte* block, ulong address)
    {
        byte* word = block + ((nuint)(address >> 2) & 0x3FF0);

        // The count is read as 16 bits, which a sound one has: so a damaged one leads no further than the guard behind the region.
        nuint run = *(ushort*)(word + 8) + (nuint)(uint)BitOperations.PopCount(*(ulong*)word >> (int)address);
        return *(uint*)(block + MapHeadBytes - 4 + (run * 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InLine<T>(byte* blocks, uint entry, ushort cell)
        where T : struct, ICounter
    {
        byte* block = blocks + (entry & OffsetMask);

        // Shifting by the shape (its lower five bits, as shifts go) leaves out what stands behind the ends.
        nuint run = (nuint)(uint)BitOperations.PopCount(T.Below((ushort*)block, cell) << (int)entry);
        return *(uint*)(block + 64 - (nuint)((entry & 31) * 2) + (run * 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InLines<T>(byte* block, ushort cell)
        where T : struct, ICounter
    {
        byte* group = block + 64 + ((nuint)(uint)BitOperations.PopCount(T.Below((ushort*)block, cell)) * GroupBytes);
        return *(uint*)(group + 64 + ((nuint)(uint)BitOperations.PopCount(T.Below((ushort*)group, cell)) * 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InNarrowLine<T>(byte* blocks, uint entry, ushort cell)
        where T : struct, ICounter
    {
        byte* block = blocks + (entry & OffsetMask);
        nuint run = (nuint)(uint)BitOperations.PopCount(T.Below16((ushort*)block, cell) << (int)entry);
        return (block + 64 - (nuint)((entry & 31) * 2))[run];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InNarrowLines<T>(byte* block, ushort cell)
        where T : struct, ICounter
    {
        nuint group = (nuint)(uint)BitOperations.PopCount(T.Below((ushort*)block, cell));
        nuint run = (nuint)(uint)BitOperations.PopCount(T.Below((ushort*)(block + 64 + (group * 64)), cell));
        return (block - NarrowGroupBytes - (group * NarrowGroupBytes))[run];
    }

    private static uint* Check(MappedRegion root, GrowingRegion blocks)
    {
        if (root.LengthBytes < RootBytes || blocks.CapacityBytes != BlockCapacityBytes || blocks.LengthBytes == 0)
            ThrowSizes();
        ObjectDisposedException.ThrowIf(root.Start is null || blocks.Start is null, typeof(MappedRegion));
        return (uint*)root.Start;
    }

    private static void CheckLengths(int high, int low, int values)
    {
        if (low < high || values < high)
            throw new ArgumentException($"{high} upper halves need as many lower ones and values, not {low} and {values}.", nameof(values));
    }

    private static void ThrowSizes() => throw new ArgumentException(
        $"A root has {RootBytes} bytes, its blocks a capacity of {BlockCapacityBytes} and at least one step of memory.", "root");

    /// <summary>Compares 32 places with a cell: a bit for each that is below it.</summary>
    private interface ICounter
    {
        static abstract uint Below(ushort* ends, ushort cell);

        /// <summary>The same for 16 places.</summary>
        static abstract uint Below16(ushort* ends, ushort cell);
    }

    private struct Counts
    {
        public int InLine;
        public int InLines;
        public int Elsewhere;
    }

    /// <summary>One comparison of a whole cache line, or of as much of it as the machine compares at once.</summary>
    private readonly struct Vectors : ICounter
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static uint Below(ushort* ends, ushort cell) => VectorWidth.Use512
            ? (uint)Vector512.LessThan(Vector512.Load(ends), Vector512.Create(cell)).ExtractMostSignificantBits()
            : Below16(ends, cell) | (Below16(ends + 16, cell) << 16);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static uint Below16(ushort* ends, ushort cell)
        {
            if (VectorWidth.Use512 || VectorWidth.Use256)
                return Vector256.LessThan(Vector256.Load(ends), Vector256.Create(cell)).ExtractMostSignificantBits();
            return VectorWidth.Use128 ? Below8(ends, cell) | (Below8(ends + 8, cell) << 8) : Scalars.Below16(ends, cell);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static uint Below8(ushort* ends, ushort cell) =>
            Vector128.LessThan(Vector128.Load(ends), Vector128.Create(cell)).ExtractMostSignificantBits();
    }

    private readonly struct Scalars : ICounter
    {
        public static uint Below(ushort* ends, ushort cell) => Below16(ends, cell) | (Below16(ends + 16, cell) << 16);

        public static uint Below16(ushort* ends, ushort cell)
        {
            uint below = 0;
            for (int i = 0; i < 16; i++)
                below |= ends[i] < cell ? 1u << i : 0;
            return below;
        }
    }
}
