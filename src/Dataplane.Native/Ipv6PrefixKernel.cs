using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>Reads the table of an IPv6 longest-prefix match, without bounds checks: what most addresses need by index and mask, without a branch; the rest by comparing.</summary>
/// <remarks>
/// Steps of 16, 10, 6 and then 16 bits each. An entry is a value (0 for no route), or has the top bit set and leads to a block: bits 5 to 29 are where it
/// is, in bytes, since blocks begin at multiples of 32; bits 0 to 4 are its shape.
/// <list type="bullet">
/// <item>The root and, for each of its entries that leads on, a directory have one entry for each value of their 16 and 10 bits.</item>
/// <item>A node divides the next 6 bits into runs of one entry each (Poptrie: Asai and Ohara, SIGCOMM 2015): a mask of the cells where runs end, 8 bytes, then
/// the entries from the last run to the first. A registry's 64 neighbouring /32 are one cache line, nearly always.</item>
/// <item>Further blocks divide 16 bits into runs. Bit 30 says that such a block is narrow: its entries are bytes. A byte of 240 or more is an
/// escape: 256 less it is the place of the entry in a list of up to 16 that stands before the block and counts backwards.</item>
/// </list>
/// Shapes of further blocks:
/// <list type="bullet">
/// <item>A line (even, but not 2): the last address of each run but the last, padded with 0xFFFF to 32 places less the shape, then the entries. The number
/// of ends below the address is the number of its run: one vector comparison. A narrow line has 20 places and is one cache line.</item>
/// <item>Lines (1): one line of the last ends of up to 33 groups, then the groups. A narrow group is a narrow line; a wide one has 64 ends and 64 entries.</item>
/// <item>A map (2, never narrow): for each 64 cells a mask of the cells where runs end and the number of runs behind the mask, 16 bytes, then the entries from
/// the last to the first.</item>
/// </list>
/// An internet table is looked up in four steps: root and directory, node, and one or two lines of a holder's /32. The first bytes of the region are an empty
/// block of every shape: an address that is answered already passes the steps that are left through it, so no step has a branch.
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

    /// <summary>Bytes at the start of the blocks that stay zero: the empty block.</summary>
    public const int EmptyBytes = DirectoryBytes;

    /// <summary>Bytes of a directory: one entry for each of 10 bits.</summary>
    public const int DirectoryBytes = sizeof(uint) << 10;

    /// <summary>Bytes of the mask of a node.</summary>
    public const int NodeHeadBytes = sizeof(ulong);

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

    /// <summary>Shape of a narrow line: 20 places.</summary>
    public const uint NarrowLineShape = 12;

    /// <summary>In a narrow block: bytes from here on are places, counted from 256 down, in the list of entries before the block.</summary>
    public const int FirstEscape = 240;

    private const int Chunk = 256, NarrowEntriesAt = 64 - ((int)NarrowLineShape * 2);

    /// <summary>The 16 bits of an address that the first of the further blocks divides: the third.</summary>
    private const int FirstFurther = 2;

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
        return (int)Walk<Vectors>(blocks.Start, InNode(blocks.Start, InDirectory(blocks.Start, first[high >> 48], high), high), high, low, FirstFurther);
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
        {
            uint entry = InNode(blocks.Start, InDirectory(blocks.Start, first[high[i] >> 48], high[i]), high[i]);
            values[i] = (int)Walk<Scalars>(blocks.Start, entry, high[i], low[i], FirstFurther);
        }
    }

    [SkipLocalsInit]
    private static void LookupChunk(uint* root, byte* blocks, ulong* high, ulong* low, uint* values, int count)
    {
        uint* entries = stackalloc uint[Chunk];
        uint* lines = stackalloc uint[Chunk];
        byte* others = stackalloc byte[Chunk];
        FirstStep(root, blocks, high, entries, count);
        SecondStep(blocks, high, entries, count);
        ThirdStep(blocks, high, entries, lines, values, count);
        int length = FourthStep(blocks, high, lines, values, others, count);
        Finish(blocks, high, low, entries, values, others, length);
    }

    /// <summary>Root and directory.</summary>
    private static void FirstStep(uint* root, byte* blocks, ulong* high, uint* entries, nint count)
    {
        for (nint i = 0; i < count; i++)
        {
            ulong address = high[i];
            uint entry = InDirectory(blocks, root[address >> 48], address);
            entries[i] = entry;
            Prefetch(blocks + (entry & OffsetMask));
        }
    }

    /// <summary>Nodes.</summary>
    private static void SecondStep(byte* blocks, ulong* high, uint* entries, nint count)
    {
        for (nint i = 0; i < count; i++)
        {
            uint entry = InNode(blocks, entries[i], high[i]);
            entries[i] = entry;
            Prefetch(blocks + (entry & OffsetMask));
        }
    }

    /// <summary>A holder's block: which of its lines. What is not narrow has the empty one, and is its own value for now.</summary>
    private static void ThirdStep(byte* blocks, ulong* high, uint* entries, uint* lines, uint* values, nint count)
    {
        for (nint i = 0; i < count; i++)
        {
            uint entry = entries[i], line = NarrowLineOf<Vectors>(blocks, entry, FirstFurtherCell(high + i));
            lines[i] = line;
            values[i] = entry & ~NarrowMask(entry);
            Prefetch(blocks + line);
        }
    }

    /// <summary>That line. What is not answered by it, or perhaps is not, is listed: written down always, kept when it must be.</summary>
    /// <returns>The length of the list.</returns>
    private static int FourthStep(byte* blocks, ulong* high, uint* lines, uint* values, byte* others, nint count)
    {
        nint length = 0;
        for (nint i = 0; i < count; i++)
        {
            uint value = values[i] | InNarrowLine<Vectors>(blocks + lines[i], FirstFurtherCell(high + i));
            values[i] = value;
            others[length] = (byte)i;
            length += value >= FirstEscape ? 1 : 0;
        }

        return (int)length;
    }

    /// <summary>The few others: escapes, what leads deeper, blocks that are not narrow, and large values, which are right already.</summary>
    private static void Finish(byte* blocks, ulong* high, ulong* low, uint* entries, uint* values, byte* others, int length)
    {
        for (int j = 0; j < length; j++)
        {
            int i = others[j], level = FirstFurther;
            uint entry = entries[i];
            if (NarrowMask(entry) != 0)
            {
                // Whatever the value is by now, this is one of the places before the block.
                entry = ((uint*)(blocks + (entry & OffsetMask)))[(int)(values[i] | ~0xFFu)];
                level++;
            }

            values[i] = (entry & BlockFlag) == 0 ? entry : Walk<Vectors>(blocks, entry, high[i], low[i], level);
        }
    }

    /// <summary>Bits 32 to 47 of an address, read where they stand: a vector is filled from memory in one instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort FirstFurtherCell(ulong* high) => BitConverter.IsLittleEndian ? ((ushort*)high)[1] : (ushort)(*high >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* at)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(at);
    }

    /// <summary>All bits for an entry that leads to a block, none for a value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint BlockMask(uint entry) => (uint)((int)entry >> 31);

    /// <summary>All bits for an entry that leads to a narrow block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint NarrowMask(uint entry) => (uint)((int)(entry & (entry << 1)) >> 31);

    /// <summary>The entry of a directory, or the value that there was without one: the empty block adds nothing to it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InDirectory(byte* blocks, uint entry, ulong high)
    {
        uint isBlock = BlockMask(entry);
        return *(uint*)(blocks + (entry & isBlock & OffsetMask) + ((high >> 36) & (DirectoryBytes - sizeof(uint)))) | (entry & ~isBlock);
    }

    /// <summary>The entry of a node, or the value that there was without one: of the empty block's runs there are none, and before the first stands zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InNode(byte* blocks, uint entry, ulong high)
    {
        uint isBlock = BlockMask(entry);
        byte* node = blocks + (entry & isBlock & OffsetMask);
        nuint run = (nuint)(uint)BitOperations.PopCount(*(ulong*)node >> (int)(high >> 32));
        return *(uint*)(node + NodeHeadBytes - sizeof(uint) + (run * sizeof(uint))) | (entry & ~isBlock);
    }

    /// <summary>Where the line of a narrow block is that has the cell's run; the empty block for what is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint NarrowLineOf<T>(byte* blocks, uint entry, ushort cell)
        where T : struct, ICounter
    {
        uint isNarrow = NarrowMask(entry), at = entry & isNarrow & OffsetMask, isLines = entry & isNarrow & LinesShape;
        uint group = (uint)BitOperations.PopCount(T.Below((ushort*)(blocks + at), cell) & (0 - isLines));
        return at + ((group + isLines) * NarrowGroupBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InNarrowLine<T>(byte* line, ushort cell)
        where T : struct, ICounter => (line + NarrowEntriesAt)[(uint)BitOperations.PopCount(T.Below((ushort*)line, cell) << (int)NarrowLineShape)];

    /// <summary>From an entry down to a value.</summary>
    /// <param name="blocks">Start of the blocks.</param>
    /// <param name="entry">Found so far.</param>
    /// <param name="high">Upper half of the address.</param>
    /// <param name="low">Lower half of the address.</param>
    /// <param name="level">Which 16 bits the entry's block divides, 2 to 7.</param>
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
                < NarrowFlag => InLine<T>(block, entry, cell),
                _ => InNarrow<T>(blocks, entry, cell),
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
    private static uint InLine<T>(byte* block, uint entry, ushort cell)
        where T : struct, ICounter
    {
        // Shifting by the shape (its lower five bits, as shifts go) leaves out what stands behind the ends.
        nuint run = (nuint)(uint)BitOperations.PopCount(T.Below((ushort*)block, cell) << (int)entry);
        return *(uint*)(block + 64 - (nuint)((entry & 31) * 2) + (run * 4));
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
    private static uint InNarrow<T>(byte* blocks, uint entry, ushort cell)
        where T : struct, ICounter
    {
        uint code = InNarrowLine<T>(blocks + NarrowLineOf<T>(blocks, entry, cell), cell);
        return code < FirstEscape ? code : ((uint*)(blocks + (entry & OffsetMask)))[(int)code - 256];
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
