using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>Reads the table of an IPv6 longest-prefix match, without bounds checks: 16 bits of the address at a time, by comparing, not by indexing.</summary>
/// <remarks>
/// The root has one entry for each of the first 16 bits. An entry is a value (0 for no route), or has the top bit set and leads to
/// a block that divides the next 16 bits into runs of one entry each: bits 5 to 29 are where the block is, in bytes, since blocks begin at multiples of 32;
/// bits 0 to 4 are its shape; bit 30 says that it is narrow: its entries are bytes. A byte of 240 or more is an escape: 256 less it is the place of the
/// entry in a list of up to 16 that stands before the block and counts backwards. Shapes:
/// <list type="bullet">
/// <item>A line (even, but not 2): the last address of each run but the last, padded with 0xFFFF to 32 places less the shape, then the entries. The number
/// of ends below the address is the number of its run: one vector comparison. A narrow line has 8 or 20 places and is half a cache line, or one.</item>
/// <item>Lines (1): one line of the last ends of up to 33 groups, then the groups. A narrow group is a narrow line of 20 places; a wide one
/// has 64 ends and 64 entries.</item>
/// <item>A map (2, never narrow): for each 64 cells a mask of the cells where runs end and the number of runs behind the mask, 16 bytes, then the entries from
/// the last to the first.</item>
/// </list>
/// An internet table is looked up in three steps: root, lines or map (of a registry's block), narrow line or lines (of a holder's /32), which is one
/// cache line or two of memory that no processor's cache holds, and a few of one that it does.
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

    /// <summary>Ends, and entries, of a group of a wide block of lines.</summary>
    public const int GroupRuns = 64;

    /// <summary>Bytes of a group of a wide block of lines: its ends and its entries.</summary>
    public const int GroupBytes = GroupRuns * (sizeof(ushort) + sizeof(uint));

    /// <summary>Bytes of a group of a narrow block of lines: 20 ends and 21 entries.</summary>
    public const int NarrowGroupBytes = 64;

    /// <summary>Shape of a narrow line that is a whole cache line: 20 places.</summary>
    public const uint NarrowLineShape = 12;

    /// <summary>Shape of a narrow line that is half a cache line: 8 places.</summary>
    public const uint NarrowHalfLineShape = 24;

    /// <summary>In a narrow block: bytes from here on are places, counted from 256 down, in the list of entries before the block.</summary>
    public const int FirstEscape = 240;

    private const uint ShapeMask = BlockFlag | NarrowFlag | (BlockBytes - 1);
    private const int Chunk = 256;

    /// <summary>Lists of the addresses of a chunk that go on; the last three are walked from the first, second and third 16 bits behind the root's.</summary>
    private const int RegistryLines = 0, NarrowLine = 1, NarrowLines = 2, Elsewhere = 3, Wide = 4, Deeper = 5, Lists = 6;

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
        byte* members = stackalloc byte[Lists * Chunk];
        int* lengths = stackalloc int[Lists];
        FirstStep(root, high, values, count, members, lengths);
        SecondStep(blocks, high, values, members, lengths);
        ThirdStep(blocks, high, values, members, lengths);
        Finish(blocks, high, low, values, members, lengths);
    }

    /// <summary>Root. Which way each address goes on cannot be foreseen, so that lists are made, without a branch: written to both, kept in one.</summary>
    private static void FirstStep(uint* root, ulong* high, uint* values, nint count, byte* members, int* lengths)
    {
        byte* inLines = members + (RegistryLines * Chunk), elsewhere = members + (Elsewhere * Chunk);
        nuint lines = 0, others = 0;
        for (nint i = 0; i < count; i++)
        {
            // Read once: a writer may change it meanwhile, and what is written down must be what the lists were made by.
            uint entry = root[high[i] >> 48];
            values[i] = entry;
            uint isBlock = entry >> 31, isLines = isBlock & entry & ~(entry >> 30);
            inLines[lines] = (byte)i;
            lines += isLines;
            elsewhere[others] = (byte)i;
            others += isBlock ^ isLines;
        }

        lengths[RegistryLines] = (int)lines;
        lengths[Elsewhere] = (int)others;
    }

    /// <summary>A registry's block: wide lines or a map. What is neither is left for the end.</summary>
    private static void SecondStep(byte* blocks, ulong* high, uint* values, byte* members, int* lengths)
    {
        Sorted sorted = new() { InLine = members + (NarrowLine * Chunk), InLines = members + (NarrowLines * Chunk), Wide = members + (Wide * Chunk) };
        byte* list = members + (RegistryLines * Chunk);
        int length = lengths[RegistryLines];
        for (int j = 0; j < length; j++)
        {
            nint i = list[j];
            uint entry = InLines<Vectors>(blocks + (values[i] & OffsetMask), (ushort)(high[i] >> 32));
            if (Sse.IsSupported)
                Sse.Prefetch0(blocks + (entry & OffsetMask));
            values[i] = entry;
            sorted.Add(i, entry);
        }

        list = members + (Elsewhere * Chunk);
        length = lengths[Elsewhere];
        int others = 0;
        for (int j = 0; j < length; j++)
        {
            nint i = list[j];
            uint entry = values[i];
            if ((entry & ShapeMask) == (BlockFlag | MapShape))
            {
                entry = InMap(blocks + (entry & OffsetMask), (ushort)(high[i] >> 32));
                if (Sse.IsSupported)
                    Sse.Prefetch0(blocks + (entry & OffsetMask));
                values[i] = entry;
                sorted.Add(i, entry);
            }
            else
            {
                list[others++] = (byte)i;
            }
        }

        lengths[Elsewhere] = others;
        lengths[NarrowLine] = (int)(sorted.InLine - (members + (NarrowLine * Chunk)));
        lengths[NarrowLines] = (int)(sorted.InLines - (members + (NarrowLines * Chunk)));
        lengths[Wide] = (int)(sorted.Wide - (members + (Wide * Chunk)));
    }

    /// <summary>A holder's block, nearly always narrow; what leads further is put on a list of its own.</summary>
    private static void ThirdStep(byte* blocks, ulong* high, uint* values, byte* members, int* lengths)
    {
        byte* list = members + (NarrowLine * Chunk), deeper = members + (Deeper * Chunk);
        int length = lengths[NarrowLine], depth = 0;
        for (int j = 0; j < length; j++)
        {
            nint i = list[j];
            values[i] = InNarrowLine<Vectors>(blocks, values[i], (ushort)(high[i] >> 16));
            deeper[depth] = (byte)i;
            depth += (int)(values[i] >> 31);
        }

        list = members + (NarrowLines * Chunk);
        length = lengths[NarrowLines];
        for (int j = 0; j < length; j++)
        {
            nint i = list[j];
            values[i] = InNarrowLines<Vectors>(blocks + (values[i] & OffsetMask), (ushort)(high[i] >> 16));
            deeper[depth] = (byte)i;
            depth += (int)(values[i] >> 31);
        }

        lengths[Deeper] = depth;
    }

    /// <summary>The few others, each from where it has come to.</summary>
    private static void Finish(byte* blocks, ulong* high, ulong* low, uint* values, byte* members, int* lengths)
    {
        for (int kind = Elsewhere; kind <= Deeper; kind++)
        {
            byte* list = members + (kind * Chunk);
            int level = kind - Elsewhere + 1, length = lengths[kind];
            for (int j = 0; j < length; j++)
            {
                int i = list[j];
                values[i] = Walk<Vectors>(blocks, values[i], high[i], low[i], level);
            }
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
        nuint run = RunInLine<T>(blocks, entry, cell);
        return *(uint*)(blocks + (entry & OffsetMask) + 64 - (nuint)((entry & 31) * 2) + (run * 4));
    }

    /// <summary>Always a whole cache line is compared; half a one may be its second half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint RunInLine<T>(byte* blocks, uint entry, ushort cell)
        where T : struct, ICounter
    {
        // Shifting by the shape (its lower five bits, as shifts go) leaves out what stands behind the ends.
        uint below = T.Below((ushort*)(blocks + (entry & OffsetMask & ~63u)), cell) >> (int)((entry >> 1) & 16);
        return (nuint)(uint)BitOperations.PopCount(below << (int)entry);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InLines<T>(byte* block, ushort cell)
        where T : struct, ICounter
    {
        byte* group = block + 64 + ((nuint)(uint)BitOperations.PopCount(T.Below((ushort*)block, cell)) * GroupBytes);
        uint low = T.Below((ushort*)group, cell), high = T.Below((ushort*)group + 32, cell);
        return *(uint*)(group + (GroupRuns * 2) + ((nuint)(uint)BitOperations.PopCount(low | ((ulong)high << 32)) * 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InNarrowLine<T>(byte* blocks, uint entry, ushort cell)
        where T : struct, ICounter
    {
        byte* block = blocks + (entry & OffsetMask);
        uint code = (block + 64 - (nuint)((entry & 31) * 2))[RunInLine<T>(blocks, entry, cell)];
        return code < FirstEscape ? code : Escaped(block, code);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InNarrowLines<T>(byte* block, ushort cell)
        where T : struct, ICounter
    {
        byte* group = block + 64 + ((nuint)(uint)BitOperations.PopCount(T.Below((ushort*)block, cell)) * NarrowGroupBytes);
        uint code = (group + 64 - (NarrowLineShape * 2))[(uint)BitOperations.PopCount(T.Below((ushort*)group, cell) << (int)NarrowLineShape)];
        return code < FirstEscape ? code : Escaped(block, code);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Escaped(byte* block, uint code) => ((uint*)block)[(int)code - 256];

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

    /// <summary>Sorts addresses by the kind of block they go on to. Which it is cannot be foreseen, so each is written to both lists and kept in the right one.</summary>
    private struct Sorted
    {
        public byte* InLine;
        public byte* InLines;
        public byte* Wide;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(nint i, uint entry)
        {
            uint top = entry >> 30, isNarrow = top & (top >> 1), isLines = isNarrow & entry;
            *InLine = (byte)i;
            *InLines = (byte)i;
            InLines += isLines;
            InLine += isNarrow - isLines;
            if (top == BlockFlag >> 30)
                *Wide++ = (byte)i;
        }
    }

    /// <summary>Compares 32 places with a cell: a bit for each that is below it.</summary>
    private interface ICounter
    {
        static abstract uint Below(ushort* ends, ushort cell);
    }

    /// <summary>One comparison of a whole cache line, or of as much of it as the machine compares at once.</summary>
    private readonly struct Vectors : ICounter
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static uint Below(ushort* ends, ushort cell) => VectorWidth.Use512
            ? (uint)Vector512.LessThan(Vector512.Load(ends), Vector512.Create(cell)).ExtractMostSignificantBits()
            : Below16(ends, cell) | (Below16(ends + 16, cell) << 16);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static uint Below16(ushort* ends, ushort cell)
        {
            if (VectorWidth.Use256)
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
