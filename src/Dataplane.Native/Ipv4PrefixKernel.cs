using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>Reads the table of an IPv4 longest-prefix match, without bounds checks: the addresses themselves are the index.</summary>
/// <remarks>
/// The table has one byte for each of the 2^24 upper three quarters of an address: 0 for no route, 1 to 254 for that value,
/// <see cref="Escape"/> when the byte cannot say it. So a lookup is one load from one cache line, of which each holds 64 neighbours. Escaped cells
/// are those with larger values and those that prefixes longer than /24 divide. Behind the bytes the table has one 32-bit number for each /18:
/// that of the block which holds the escaped cells among its 64.
/// A block is a 64-bit mask of the cells and one entry for each, in order. An entry is a value, or with the top bit set the number of a node over the last
/// 8 bits: four 64-bit masks of the cells where runs of one value end, four bytes that count the runs behind each mask, and the
/// values of the runs from the last to the first.
/// What a block number says is taken modulo the region's capacity, so a damaged table gives wrong answers or stops the process, but never reads elsewhere.
/// </remarks>
public static unsafe class Ipv4PrefixKernel
{
    /// <summary>Bytes of cells at the start of the table.</summary>
    public const int CellBytes = 1 << 24;

    /// <summary>Bytes of a table: the cells and the block numbers.</summary>
    public const int TableBytes = CellBytes + (sizeof(uint) << 18);

    /// <summary>The unit in which blocks are counted, in bytes.</summary>
    public const int BlockBytes = 32;

    /// <summary>Capacity that a region of blocks has: 256 MB.</summary>
    public const int BlockCapacityBytes = 1 << 28;

    /// <summary>The cell that says: ask the block.</summary>
    public const byte Escape = 255;

    /// <summary>In an entry of a block: the number of a node follows instead of a value.</summary>
    public const uint NodeFlag = 0x8000_0000;

    private const uint BlockMask = (BlockCapacityBytes / BlockBytes) - 1;
    private const int Chunk = 256;

    /// <summary>Looks up one address.</summary>
    /// <param name="table">At least <see cref="TableBytes"/> long.</param>
    /// <param name="blocks">Of exactly <see cref="BlockCapacityBytes"/> capacity.</param>
    /// <param name="address">In host order.</param>
    /// <returns>The value, 0 for none.</returns>
    /// <exception cref="ArgumentException">A region of another size.</exception>
    public static int Lookup(MappedRegion table, GrowingRegion blocks, uint address)
    {
        byte* cells = Check(table, blocks);
        uint value = cells[address >> 8];
        return (int)(value != Escape ? value : Escaped(cells, blocks.Start, address));
    }

    /// <summary>Looks up many addresses; the fast path. At most 256 at a time stay in the first-level cache.</summary>
    /// <param name="table">At least <see cref="TableBytes"/> long.</param>
    /// <param name="blocks">Of exactly <see cref="BlockCapacityBytes"/> capacity.</param>
    /// <param name="addresses">In host order.</param>
    /// <param name="values">Gets a value for each address, 0 for none.</param>
    /// <exception cref="ArgumentException">A region of another size, or fewer values than addresses.</exception>
    public static void Lookup(MappedRegion table, GrowingRegion blocks, ReadOnlySpan<uint> addresses, Span<int> values)
    {
        byte* cells = Check(table, blocks);
        CheckLengths(addresses.Length, values.Length);
        fixed (uint* key = addresses)
        fixed (int* value = values)
        {
            for (int done = 0; done < addresses.Length; done += Chunk)
            {
                int count = Math.Min(Chunk, addresses.Length - done);
                int gathered = Avx2.IsSupported && VectorWidth.Use256 ? count & ~15 : 0;
                Gather(cells, blocks.Start, key + done, value + done, gathered);
                Load(cells, key + done + gathered, value + done + gathered, count - gathered);
                Resolve(cells, blocks.Start, key + done + gathered, value + done + gathered, count - gathered);
            }
        }

        GC.KeepAlive(table);
        GC.KeepAlive(blocks);
    }

    /// <summary>As the other, one address after the other: the reference.</summary>
    /// <inheritdoc cref="Lookup(MappedRegion, GrowingRegion, ReadOnlySpan{uint}, Span{int})"/>
    public static void LookupScalar(MappedRegion table, GrowingRegion blocks, ReadOnlySpan<uint> addresses, Span<int> values)
    {
        CheckLengths(addresses.Length, values.Length);
        for (int i = 0; i < addresses.Length; i++)
            values[i] = Lookup(table, blocks, addresses[i]);
    }

    /// <summary>
    /// Sixteen loads at a time. An instruction loads four bytes for each lane, of which three are its neighbours': behind the last cell stand the block numbers.
    /// </summary>
    private static void Gather(byte* cells, byte* blocks, uint* key, int* value, int count)
    {
        Vector256<int> mask = Vector256.Create(0xFF);
        for (int i = 0; i < count; i += 16)
        {
            Vector256<int> low = Avx2.GatherVector256((int*)cells, Vector256.ShiftRightLogical(Vector256.Load(key + i), 8).AsInt32(), 1) & mask;
            Vector256<int> high = Avx2.GatherVector256((int*)cells, Vector256.ShiftRightLogical(Vector256.Load(key + i + 8), 8).AsInt32(), 1) & mask;
            low.Store(value + i);
            high.Store(value + i + 8);
            Vector256<int> escapedLow = Vector256.Equals(low, mask), escapedHigh = Vector256.Equals(high, mask);
            if ((escapedLow | escapedHigh) != Vector256<int>.Zero)
            {
                uint lanes = escapedLow.ExtractMostSignificantBits() | (escapedHigh.ExtractMostSignificantBits() << 8);
                for (; lanes != 0; lanes &= lanes - 1)
                {
                    int lane = i + BitOperations.TrailingZeroCount(lanes);
                    value[lane] = (int)Escaped(cells, blocks, key[lane]);
                }
            }
        }
    }

    /// <summary>Independent loads without a branch among them: the core keeps as many cache misses under way as it has buffers for.</summary>
    private static void Load(byte* cells, uint* key, int* value, int count)
    {
        int i = 0;
        for (; i <= count - 8; i += 8)
        {
            value[i] = cells[key[i] >> 8];
            value[i + 1] = cells[key[i + 1] >> 8];
            value[i + 2] = cells[key[i + 2] >> 8];
            value[i + 3] = cells[key[i + 3] >> 8];
            value[i + 4] = cells[key[i + 4] >> 8];
            value[i + 5] = cells[key[i + 5] >> 8];
            value[i + 6] = cells[key[i + 6] >> 8];
            value[i + 7] = cells[key[i + 7] >> 8];
        }

        for (; i < count; i++)
            value[i] = cells[key[i] >> 8];
    }

    /// <summary>Replaces escapes. By now the stores of <see cref="Load"/> have left the store buffer, so reading them as vectors does not stall.</summary>
    private static void Resolve(byte* cells, byte* blocks, uint* key, int* value, int count)
    {
        Vector256<int> escape = Vector256.Create((int)Escape);
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            Vector256<int> low = Vector256.Equals(Vector256.Load(value + i), escape), high = Vector256.Equals(Vector256.Load(value + i + 8), escape);
            if ((low | high) != Vector256<int>.Zero)
            {
                uint lanes = low.ExtractMostSignificantBits() | (high.ExtractMostSignificantBits() << 8);
                for (; lanes != 0; lanes &= lanes - 1)
                {
                    int lane = i + BitOperations.TrailingZeroCount(lanes);
                    value[lane] = (int)Escaped(cells, blocks, key[lane]);
                }
            }
        }

        for (; i < count; i++)
        {
            if (value[i] == Escape)
                value[i] = (int)Escaped(cells, blocks, key[i]);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // Rare; keeps the loops small.
    private static uint Escaped(byte* cells, byte* blocks, uint address)
    {
        // The writer publishes the block before the cell that needs it.
        Volatile.ReadBarrier();
        uint number = Volatile.Read(ref ((uint*)(cells + CellBytes))[address >> 14]);
        byte* block = blocks + ((nuint)(number & BlockMask) * BlockBytes);
        int upTo = BitOperations.PopCount(*(ulong*)block << (int)(~(address >> 8) & 63));
        uint entry = ((uint*)block)[1 + upTo];
        if ((entry & NodeFlag) == 0)
            return entry;

        byte* node = blocks + ((nuint)(entry & BlockMask) * BlockBytes);
        uint word = (address >> 6) & 3;
        int run = BitOperations.PopCount(((ulong*)node)[word] >> (int)(address & 63)) + node[32 + word];
        return ((uint*)node)[8 + run];
    }

    private static byte* Check(MappedRegion table, GrowingRegion blocks)
    {
        if (table.LengthBytes < TableBytes || blocks.CapacityBytes != BlockCapacityBytes || blocks.LengthBytes == 0)
            ThrowSizes();
        ObjectDisposedException.ThrowIf(table.Start is null || blocks.Start is null, typeof(MappedRegion));
        return table.Start;
    }

    private static void CheckLengths(int addresses, int values)
    {
        if (values < addresses)
            throw new ArgumentException($"{addresses} addresses need as many values, not {values}.", nameof(values));
    }

    private static void ThrowSizes() => throw new ArgumentException(
        $"A table has {TableBytes} bytes, its blocks a capacity of {BlockCapacityBytes} and at least one step of memory.", "table");
}
