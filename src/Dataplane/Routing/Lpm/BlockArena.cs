using System.Numerics;
using Dataplane.Native;

namespace Dataplane.Routing.Lpm;

/// <summary>Blocks of mapped memory that readers reach by number; freed blocks are used again when no reader can hold them.</summary>
/// <remarks>For one writer at a time. Blocks never move, the first bytes are never given away, and a block is zeroed only when its memory is first used.</remarks>
internal sealed class BlockArena : IDisposable
{
    private readonly int _unitBytes;
    private readonly GracePeriods _periods;
    private readonly List<Stack<uint>> _free = [];
    private readonly Queue<(uint Block, byte Class, long Ticket)> _retired = [];
    private int _nextUnit;

    /// <summary>Reserves address space.</summary>
    /// <param name="capacityBytes">A power of two from one step of <see cref="GrowingRegion"/> to 1 GB.</param>
    /// <param name="unitBytes">A power of two of 8 or more: blocks are multiples of it and numbered by it.</param>
    /// <param name="periods">Tells when readers have let go.</param>
    /// <param name="emptyBytes">Bytes at the start that no block gets and that stay zero; at least one unit does.</param>
    public BlockArena(int capacityBytes, int unitBytes, GracePeriods periods, int emptyBytes = 1)
    {
        _nextUnit = (emptyBytes + unitBytes - 1) / unitBytes;
        _unitBytes = unitBytes;
        _periods = periods;
        Region = GrowingRegion.Reserve(capacityBytes);
        Region.TryGrow(GrowingRegion.StepBytes);
    }

    /// <summary>The memory.</summary>
    public GrowingRegion Region { get; }

    /// <summary>Bytes in blocks that are in use, those that wait for readers included.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>The bytes of a block.</summary>
    public Span<byte> this[uint block, int lengthBytes] => Region.Span.Slice((int)block * _unitBytes, lengthBytes);

    /// <summary>Takes a block.</summary>
    /// <exception cref="InvalidOperationException">The arena is full; nothing was taken.</exception>
    public uint Allocate(int lengthBytes)
    {
        int size = ClassOf(lengthBytes, out int units);
        Reclaim();
        while (_free.Count <= size)
        {
            _free.Add(new Stack<uint>());
        }

        if (!_free[size].TryPop(out uint block))
        {
            // Blocks of an even number of units begin at an even one: so those of whole cache lines begin at a cache line.
            if ((units & _nextUnit & 1) == 0 && (_nextUnit & 1) != 0)
            {
                _free[0].Push((uint)_nextUnit++);
            }

            if (!Region.TryGrow((_nextUnit + units) * _unitBytes))
            {
                throw new InvalidOperationException($"The routing table needs more than the {Region.CapacityBytes >> 20} MB that its divided"
                    + " prefixes may take; withdraw routes, or use fewer that are longer than /24 (IPv4) or /48 (IPv6).");
            }

            block = (uint)_nextUnit;
            _nextUnit += units;
        }

        UsedBytes += (long)units * _unitBytes;
        return block;
    }

    /// <summary>Gives back a block that no new reader can find; it is used again when those that have found it are done.</summary>
    public void Retire(uint block, int lengthBytes) => _retired.Enqueue((block, (byte)ClassOf(lengthBytes, out _), _periods.Start()));

    /// <summary>Gives back a block that no reader has ever seen.</summary>
    public void Free(uint block, int lengthBytes)
    {
        int size = ClassOf(lengthBytes, out int units);
        _free[size].Push(block);
        UsedBytes -= (long)units * _unitBytes;
    }

    /// <summary>Takes back what readers have let go of.</summary>
    public void Reclaim()
    {
        while (_retired.TryPeek(out (uint Block, byte Class, long Ticket) oldest) && _periods.HasPassed(oldest.Ticket))
        {
            _retired.Dequeue();
            _free[oldest.Class].Push(oldest.Block);
            UsedBytes -= (long)UnitsOf(oldest.Class) * _unitBytes;
        }
    }

    public void Dispose() => Region.Dispose();

    /// <summary>Sizes of blocks in units: 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 and so on, four to each doubling.</summary>
    private static int ClassOf(int units)
    {
        if (units <= 4)
        {
            return units - 1;
        }

        int shift = BitOperations.Log2((uint)units - 1) - 2;
        return (shift * 4) + ((units - 1) >> shift);
    }

    private static int UnitsOf(int size) => size < 4 ? size + 1 : ((size & 3) + 5) << ((size >> 2) - 1);

    private int ClassOf(int lengthBytes, out int units)
    {
        int size = ClassOf((lengthBytes + _unitBytes - 1) / _unitBytes);
        units = UnitsOf(size);
        return size;
    }
}
