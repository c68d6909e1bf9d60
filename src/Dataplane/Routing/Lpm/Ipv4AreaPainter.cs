using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Dataplane.Native;

namespace Dataplane.Routing.Lpm;

/// <summary>Turns the routes of a /18 into its 64 cells of the table that <see cref="Ipv4PrefixKernel"/> reads, and publishes them. One writer.</summary>
/// <remarks>
/// The order of publication: first the block with every escaped cell, those that are escaped no longer included (with what their byte will
/// say), then the bytes. So a reader that finds an escape, old or new, finds an answer for it that is right before or after the change.
/// </remarks>
internal sealed class Ipv4AreaPainter(Ipv4Rib rib, MappedRegion table, BlockArena blocks, GracePeriods periods)
{
    private const int Cells = 64, NodeCells = 256;

    /// <summary>Masks of 32 bytes, 4 counts, entries.</summary>
    private const int NodeHeadBytes = 36;

    /// <summary>What is to stand in each cell of the area at hand: a value, or a node's number and flag.</summary>
    private readonly uint[] _cells = new uint[Cells];
    private readonly uint[] _nodeCells = new uint[NodeCells];

    /// <summary>Cells that have a node now.</summary>
    private readonly Stack<uint> _oldNodes = [];
    private readonly Stack<int> _newNodes = [];

    /// <summary>Areas whose block has cells that are escaped no longer, to be made smaller once no reader looks for those.</summary>
    private readonly Queue<(int Area, long Ticket)> _leftovers = [];

    /// <summary>The ticket of each such area's present block. Not told by the block's number, which an area may be given again meanwhile.</summary>
    private readonly Dictionary<int, long> _leftoverTickets = [];

    /// <summary>Paints an area.</summary>
    /// <param name="area">Its first 18 bits.</param>
    /// <param name="onlyCell">The one cell below which routes have changed, so that the nodes of others stay; -1 for any.</param>
    /// <exception cref="InvalidOperationException">No memory; nothing has changed.</exception>
    public void Paint(int area, int onlyCell)
    {
        if (_leftovers.Count > 0)
        {
            Reclaim();
        }

        ulong oldNodes = NodesOf(area), keptNodes = 0;
        ReadOnlySpan<ulong> routes = rib.InArea(area);
        Span<uint> cells = _cells;
        cells.Fill((uint)rib.Cover(area));
        _newNodes.Clear();
        try
        {
            for (int i = 0; i < routes.Length;)
            {
                int length = Ipv4Rib.LengthOf(routes[i]), cell = Ipv4Rib.OffsetOf(routes[i]) >> 8;
                if (length <= 24)
                {
                    cells.Slice(cell, 1 << (24 - length)).Fill((uint)Ipv4Rib.ValueOf(routes[i++]));
                    continue;
                }

                // All longer routes of the cell stand here in a row; those that hold the cell whole have been painted before.
                int last = i + 1;
                while (last < routes.Length && Ipv4Rib.OffsetOf(routes[last]) >> 8 == cell)
                {
                    last++;
                }

                if (onlyCell >= 0 && cell != onlyCell && ((oldNodes >> cell) & 1) != 0)
                {
                    keptNodes |= 1UL << cell;
                    cells[cell] = EntryOf(area, cell);
                }
                else
                {
                    cells[cell] = MakeNode(cells[cell], routes[i..last]);
                    _newNodes.Push(cell);
                }

                i = last;
            }

            Publish(area, oldNodes & ~keptNodes);
        }
        catch (InvalidOperationException)
        {
            while (_newNodes.TryPop(out int cell))
            {
                blocks.Free(cells[cell] & ~Ipv4PrefixKernel.NodeFlag, NodeBytes(cells[cell]));
            }

            throw;
        }
    }

    /// <summary>Makes blocks smaller whose old escapes no reader looks for any more.</summary>
    public void Reclaim()
    {
        while (_leftovers.TryPeek(out (int Area, long Ticket) oldest) && periods.HasPassed(oldest.Ticket))
        {
            _leftovers.Dequeue();
            if (_leftoverTickets.GetValueOrDefault(oldest.Area) == oldest.Ticket)
            {
                _leftoverTickets.Remove(oldest.Area);
                Shrink(oldest.Area, BlockNumber(oldest.Area));
            }
        }
    }

    private static int BlockBytes(ulong mask) => 8 + (4 * BitOperations.PopCount(mask));

    private Span<byte> CellsOf(int area) => table.Span.Slice(area * Cells, Cells);

    private ref uint BlockNumber(int area) => ref MemoryMarshal.Cast<byte, uint>(table.Span[Ipv4PrefixKernel.CellBytes..])[area];

    private ulong MaskOf(uint block) => block == 0 ? 0 : MemoryMarshal.Read<ulong>(blocks[block, 8]);

    private Span<uint> EntriesOf(uint block, ulong mask) => MemoryMarshal.Cast<byte, uint>(blocks[block, BlockBytes(mask)])[2..];

    /// <summary>The entry of an escaped cell.</summary>
    private uint EntryOf(int area, int cell)
    {
        uint block = BlockNumber(area);
        ulong mask = MaskOf(block);
        return EntriesOf(block, mask)[BitOperations.PopCount(mask & ((1UL << cell) - 1))];
    }

    /// <summary>The cells that have a node.</summary>
    private ulong NodesOf(int area)
    {
        uint block = BlockNumber(area);
        ulong mask = MaskOf(block), nodes = 0;
        for (int rank = 0; mask != 0; mask &= mask - 1, rank++)
        {
            nodes |= (EntriesOf(block, MaskOf(block))[rank] & Ipv4PrefixKernel.NodeFlag) != 0 ? mask & (0 - mask) : 0;
        }

        return nodes;
    }

    private int NodeBytes(uint entry)
    {
        ReadOnlySpan<byte> node = blocks[entry & ~Ipv4PrefixKernel.NodeFlag, NodeHeadBytes];
        return NodeHeadBytes + (4 * (node[32] + BitOperations.PopCount(MemoryMarshal.Read<ulong>(node))));
    }

    private uint MakeNode(uint cover, ReadOnlySpan<ulong> routes)
    {
        Span<uint> cells = _nodeCells;
        cells.Fill(cover);
        foreach (ulong route in routes)
        {
            cells.Slice(Ipv4Rib.OffsetOf(route) & 255, 1 << (32 - Ipv4Rib.LengthOf(route))).Fill((uint)Ipv4Rib.ValueOf(route));
        }

        Span<ulong> ends = stackalloc ulong[4];
        Span<uint> runs = stackalloc uint[NodeCells];
        int count = 0;
        Span<byte> head = stackalloc byte[NodeHeadBytes];
        for (int cell = NodeCells - 1; cell >= 0; cell--)
        {
            if ((cell & 63) == 63)
            {
                head[32 + (cell >> 6)] = (byte)count;
            }

            if (cell == NodeCells - 1 || cells[cell] != cells[cell + 1])
            {
                ends[cell >> 6] |= 1UL << cell;
                runs[count++] = cells[cell];
            }
        }

        MemoryMarshal.AsBytes(ends).CopyTo(head);
        uint block = blocks.Allocate(NodeHeadBytes + (4 * count));
        Span<byte> node = blocks[block, NodeHeadBytes + (4 * count)];
        head.CopyTo(node);
        MemoryMarshal.AsBytes(runs[..count]).CopyTo(node[NodeHeadBytes..]);
        return block | Ipv4PrefixKernel.NodeFlag;
    }

    private void Publish(int area, ulong deadNodes)
    {
        // What does not fit a byte becomes 255, the escape: just what saturation does.
        ReadOnlySpan<uint> cells = _cells;
        Vector512<byte> next = Vector512.NarrowWithSaturation(
            Vector512.NarrowWithSaturation(Vector512.Create(cells), Vector512.Create(cells[16..])),
            Vector512.NarrowWithSaturation(Vector512.Create(cells[32..]), Vector512.Create(cells[48..])));
        ulong escaped = Escaped(next);
        uint oldBlock = BlockNumber(area);
        if (escaped != 0 || oldBlock != 0)
        {
            // Cells that are escaped no longer stay in the block: a reader may have loaded their byte, before this change or an earlier one.
            ulong oldMask = MaskOf(oldBlock), mask = escaped | oldMask;
            uint block = MakeBlock(mask);
            for (; deadNodes != 0; deadNodes &= deadNodes - 1)
            {
                _oldNodes.Push(EntryOf(area, BitOperations.TrailingZeroCount(deadNodes)));
            }

            Volatile.Write(ref BlockNumber(area), block);
            Volatile.WriteBarrier();
            if (oldBlock != 0)
            {
                blocks.Retire(oldBlock, BlockBytes(oldMask));
            }

            while (_oldNodes.TryPop(out uint node))
            {
                blocks.Retire(node & ~Ipv4PrefixKernel.NodeFlag, NodeBytes(node));
            }

            next.CopyTo(CellsOf(area));
            _leftoverTickets.Remove(area);
            if (mask != escaped)
            {
                long ticket = periods.Start();
                _leftovers.Enqueue((area, ticket));
                _leftoverTickets.Add(area, ticket);
            }
        }
        else
        {
            next.CopyTo(CellsOf(area));
        }
    }

    private static ulong Escaped(Vector512<byte> cells) => Vector512.Equals(cells, Vector512.Create(Ipv4PrefixKernel.Escape)).ExtractMostSignificantBits();

    private uint MakeBlock(ulong mask)
    {
        uint block = blocks.Allocate(BlockBytes(mask));
        MemoryMarshal.Write(blocks[block, 8], mask);
        Span<uint> entries = EntriesOf(block, mask);
        for (int rank = 0; mask != 0; mask &= mask - 1, rank++)
        {
            entries[rank] = _cells[BitOperations.TrailingZeroCount(mask)];
        }

        return block;
    }

    /// <summary>Leaves out of a block the cells that are escaped no longer.</summary>
    private void Shrink(int area, uint oldBlock)
    {
        ulong oldMask = MaskOf(oldBlock), mask = Escaped(Vector512.Create<byte>(CellsOf(area)));
        uint block = 0;
        if (mask != 0)
        {
            for (ulong cells = mask; cells != 0; cells &= cells - 1)
            {
                int cell = BitOperations.TrailingZeroCount(cells);
                _cells[cell] = EntryOf(area, cell);
            }

            block = MakeBlock(mask);
        }

        Volatile.Write(ref BlockNumber(area), block);
        blocks.Retire(oldBlock, BlockBytes(oldMask));
    }
}
