using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>Reads the table of an IPv6 longest-prefix match, without bounds checks: 16 bits of the address at a time, by comparing, not by indexing.</summary>
/// <remarks>
/// The root has one entry for each of the first 16 bits. An entry is a value (0 for no route), or has the top bit set, a <see cref="Kind"/>, and the number of
/// a block that divides the next 16 bits into runs of one entry each. There are three shapes of block:
/// <list type="bullet">
/// <item>A line: the last address of each run but the last, padded with 0xFFFF to 8, 16 or 32, then the entries. The number of ends below the address is
/// the number of its run: one vector comparison. Most blocks are this, and one or two cache lines long.</item>
/// <item>Lines: one line of the last ends of up to 33 groups, then the groups, each a line of 32 ends and 32 entries.</item>
/// <item>A map: for each 64 cells a mask of the cells where runs end and the number of runs behind the mask, 16 bytes, then the entries from the last to the first.</item>
/// </list>
/// An internet table is looked up in three steps: root, map (of a registry's block), line (of a holder's /32).
/// What a block number says is taken modulo the region's capacity, so a damaged table gives wrong answers or stops the process, but never reads elsewhere.
/// </remarks>
public static unsafe class Ipv6PrefixKernel
{
    /// <summary>Bytes of a root: one entry for each of the first 16 bits.</summary>
    public const int RootBytes = sizeof(uint) << 16;

    /// <summary>The unit in which blocks are counted, in bytes: a cache line.</summary>
    public const int BlockBytes = 64;

    /// <summary>Capacity that a region of blocks has: 1 GB.</summary>
    public const int BlockCapacityBytes = 1 << 30;

    /// <summary>In an entry: a block follows.</summary>
    public const uint BlockFlag = 0x8000_0000;

    /// <summary>Where the kind stands in an entry.</summary>
    public const int KindShift = 28;

    /// <summary>Bytes of the masks and counts of a map.</summary>
    public const int MapHeadBytes = 16 << 10;

    /// <summary>Bytes of a group of a block of lines: 32 ends and 32 entries.</summary>
    public const int GroupBytes = 64 + 128;

    private const uint BlockMask = (BlockCapacityBytes / BlockBytes) - 1;
    private const uint MapTop = (BlockFlag >> KindShift) | (uint)Kind.Map, LinesTop = (BlockFlag >> KindShift) | (uint)Kind.Lines;
    private const int Chunk = 256;

    /// <summary>The shape of a block.</summary>
    internal enum Kind : uint
    {
        Line8 = 0,
        Line16 = 1,
        Line32 = 2,
        Lines = 3,
        Map = 4,
    }

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

    private static void LookupChunk(uint* root, byte* blocks, ulong* high, ulong* low, uint* values, int count)
    {
        byte* inLine = stackalloc byte[Chunk];
        byte* elsewhere = stackalloc byte[Chunk];
        byte* deeper = stackalloc byte[Chunk];
        int lines = 0, others = 0, deep = 0, further = 0;
        for (int i = 0; i < count; i++)
        {
            ulong address = high[i];
            uint entry = root[address >> 48];
            if (entry >> KindShift == MapTop)
            {
                entry = InMap(Block(blocks, entry), (uint)(address >> 32) & 0xFFFF);
                if (Sse.IsSupported)
                    Sse.Prefetch0(Block(blocks, entry));

                // Appended to every list, kept in the right one: cheaper than a branch that cannot be foreseen.
                inLine[lines] = (byte)i;
                lines += IsLine(entry);
                deeper[deep] = (byte)i;
                deep += entry >> KindShift >= LinesTop ? 1 : 0;
            }
            else
            {
                elsewhere[others] = (byte)i;
                others += (int)(entry >> 31);
            }

            values[i] = entry;
        }

        for (int j = 0; j < lines; j++)
        {
            int i = inLine[j];
            uint entry = InLine<Vectors>(blocks, values[i], (ushort)(high[i] >> 16));
            values[i] = entry;

            // Those that go on take the place of what has been read of the list.
            inLine[further] = (byte)i;
            further += (int)(entry >> 31);
        }

        for (int j = 0; j < further; j++)
        {
            int i = inLine[j];
            values[i] = Walk<Vectors>(blocks, values[i], high[i], low[i], 3);
        }

        for (int j = 0; j < deep; j++)
        {
            int i = deeper[j];
            values[i] = Walk<Vectors>(blocks, values[i], high[i], low[i], 2);
        }

        for (int j = 0; j < others; j++)
        {
            int i = elsewhere[j];
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
            entry = (entry >> KindShift) switch
            {
                MapTop => InMap(Block(blocks, entry), cell),
                LinesTop => InLines<T>(Block(blocks, entry), cell),
                _ => InLine<T>(blocks, entry, cell),
            };
        }

        return entry;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int IsLine(uint entry) => entry - BlockFlag < ((uint)Kind.Lines << KindShift) ? 1 : 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Block(byte* blocks, uint entry) => blocks + ((nuint)(entry & BlockMask) * BlockBytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InMap(byte* block, uint cell)
    {
        byte* word = block + ((cell >> 6) * 16);
        uint run = *(uint*)(word + 8) + (uint)BitOperations.PopCount(*(ulong*)word >> (int)(cell & 63));
        return *(uint*)(block + MapHeadBytes - 4 + ((nuint)run * 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint InLine<T>(byte* blocks, uint entry, ushort cell)
        where T : struct, ICounter
    {
        byte* block = Block(blocks, entry);
        int size = (int)(entry >> KindShift) & 3;
        return *(uint*)(block + (16 << size) + ((nuint)T.CountBelow((ushort*)block, 8 << size, cell) * 4));
    }

    private static uint InLines<T>(byte* block, ushort cell)
        where T : struct, ICounter
    {
        byte* group = block + 64 + ((nuint)T.CountBelow((ushort*)block, 32, cell) * GroupBytes);
        return *(uint*)(group + 64 + ((nuint)T.CountBelow((ushort*)group, 32, cell) * 4));
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

    /// <summary>Counts the ends below a cell among the first 8, 16 or 32 of a line.</summary>
    private interface ICounter
    {
        static abstract uint CountBelow(ushort* ends, int count, ushort cell);
    }

    /// <summary>One comparison of a whole cache line; what lies behind the ends is masked away. Two halves where the machine has 256 bits.</summary>
    private readonly struct Vectors : ICounter
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static uint CountBelow(ushort* ends, int count, ushort cell)
        {
            ulong below = Vector512.LessThan(Vector512.Load(ends), Vector512.Create(cell)).ExtractMostSignificantBits();
            return (uint)BitOperations.PopCount(below & ((1UL << count) - 1));
        }
    }

    private readonly struct Scalars : ICounter
    {
        public static uint CountBelow(ushort* ends, int count, ushort cell)
        {
            uint below = 0;
            for (int i = 0; i < count; i++)
                below += ends[i] < cell ? 1u : 0;
            return below;
        }
    }
}
