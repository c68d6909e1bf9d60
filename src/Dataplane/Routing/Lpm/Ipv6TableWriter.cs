using System.Runtime.InteropServices;
using Dataplane.Native;

namespace Dataplane.Routing.Lpm;

/// <summary>All IPv6 routes as a tree of 16-bit steps, and the blocks made of them. One writer.</summary>
/// <remarks>
/// <see cref="Note"/> changes routes and marks the way from the root; <see cref="Publish"/> goes the marked ways: a node whose routes or children have changed gets
/// a new block, one whose children only have new blocks gets new entries in the block it has. So a route deep in the tree costs one small
/// block and one store, which is the instant at which it takes effect.
/// </remarks>
internal sealed class Ipv6TableWriter
{
    private const int StepBits = 16, Steps = 8;

    private readonly MappedRegion _rootTable;
    private readonly Ipv6BlockWriter _blockWriter;
    private readonly Ipv6Node _root = new(null, 0, 0);
    private readonly Ipv6Runs[] _runs = new Ipv6Runs[Steps];

    /// <summary>Blocks that are in no entry any more once the root's are up to date.</summary>
    private readonly List<Ipv6Block> _dead = [];

    public Ipv6TableWriter(MappedRegion rootTable, BlockArena blocks)
    {
        _rootTable = rootTable;
        _blockWriter = new Ipv6BlockWriter(blocks);
        Func<Ipv6Node, int, uint> settle = Settle;
        for (int level = 0; level < Steps; level++)
        {
            _runs[level] = new Ipv6Runs(settle);
        }
    }

    public int Count { get; private set; }

    /// <summary>Bytes of routes and nodes, roughly.</summary>
    public long ControlBytes => MemoryOf(_root);

    public int Find(UInt128 first, int length)
    {
        int level = LevelOf(length);
        Ipv6Node? node = _root;
        for (int above = 0; above < level && node is not null; above++)
        {
            node = node.Child(CellOf(first, above));
        }

        (int cell, int inStep) = InStep(first, length, level);
        return node?.Find(cell, inStep) ?? 0;
    }

    public int LongestLength(UInt128 address)
    {
        int longest = -1;
        Ipv6Node? node = _root;
        for (int level = 0; node is not null; level++)
        {
            ushort cell = CellOf(address, level);
            int found = node.Longest(cell);
            longest = found >= 0 ? (level * StepBits) + found : longest;
            node = level < Steps - 1 ? node.Child(cell) : null;
        }

        return longest;
    }

    /// <summary>Sets, replaces or (with value 0) takes out a route, without effect on lookups yet.</summary>
    /// <returns>The value it had, 0 for none.</returns>
    public int Note(UInt128 first, int length, int value)
    {
        int level = LevelOf(length);
        Ipv6Node node = _root;
        for (int above = 0; above < level; above++)
        {
            ushort cell = CellOf(first, above);
            Ipv6Node? child = node.Child(cell);
            if (child is null)
            {
                if (value == 0)
                {
                    return 0;
                }

                child = node.GetOrAddChild(cell);
                child.MarkDirty();
                node.MarkDirty();
            }

            node = child;
        }

        (int at, int inStep) = InStep(first, length, level);
        int before = node.Set(at, inStep, value);
        if (before != value)
        {
            Count += (value != 0 ? 1 : 0) - (before != 0 ? 1 : 0);
            node.MarkDirty();
            Prune(node);
        }

        return before;
    }

    /// <summary>Lets lookups see what was noted.</summary>
    /// <exception cref="InvalidOperationException">No memory: part of what was noted is in force, the rest stays noted.</exception>
    public void Publish()
    {
        if (_root.IsDirty)
        {
            PaintRoot();
        }
        else
        {
            SettleMarked(_root);
        }

        foreach (Ipv6Block block in _dead)
        {
            _blockWriter.Retire(block);
        }

        _dead.Clear();
    }

    private static int LevelOf(int length) => length == 0 ? 0 : (length - 1) / StepBits;

    private static ushort CellOf(UInt128 address, int level) => (ushort)(address >> (128 - StepBits - (level * StepBits)));

    private static (int Cell, int InStep) InStep(UInt128 first, int length, int level)
    {
        int inStep = length - (level * StepBits);
        return (CellOf(first, level) & ~(0xFFFF >> inStep), inStep);
    }

    private static long MemoryOf(Ipv6Node node)
    {
        long sum = node.MemoryBytes;
        foreach (Ipv6Node child in node.Children)
        {
            sum += MemoryOf(child);
        }

        return sum;
    }

    /// <summary>Takes nodes out that hold nothing any more.</summary>
    private void Prune(Ipv6Node node)
    {
        while (node.IsEmpty && node.Parent is { } parent)
        {
            parent.Remove(node);
            if (node.Block.Entry != 0)
            {
                _dead.Add(node.Block);
            }

            parent.MarkDirty();
            node = parent;
        }
    }

    /// <summary>Brings a child up to date for a parent that is about to say where it is.</summary>
    private uint Settle(Ipv6Node node, int cover)
    {
        if (node.IsDirty || node.Cover != cover)
        {
            Rebuild(node, cover);
        }
        else
        {
            SettleMarked(node);
        }

        return node.Block.Entry;
    }

    private void Rebuild(Ipv6Node node, int cover)
    {
        Ipv6Runs runs = _runs[node.Level];
        runs.Sweep(node, cover);
        Ipv6Block block = _blockWriter.Make(CollectionsMarshal.AsSpan(runs.Ends), CollectionsMarshal.AsSpan(runs.Entries));
        if (node.Block.Entry != 0)
        {
            _dead.Add(node.Block);
        }

        (node.Block, node.Cover, node.IsDirty) = (block, cover, false);
        node.ClearMarks();
    }

    /// <summary>New blocks for the marked children of a node, whose own block only changes in the entries for them.</summary>
    private void SettleMarked(Ipv6Node node)
    {
        foreach (Ipv6Node child in node.Marked)
        {
            uint before = child.Block.Entry, entry = Settle(child, child.Cover);
            if (entry != before)
            {
                ref uint place = ref node.Level == 0 ? ref RootEntries[child.Cell] : ref _blockWriter.EntryOf(node.Block, child.Cell);
                Volatile.Write(ref place, entry);
            }
        }

        node.ClearMarks();
    }

    private Span<uint> RootEntries => MemoryMarshal.Cast<byte, uint>(_rootTable.Span)[..(Ipv6PrefixKernel.RootBytes / sizeof(uint))];

    private void PaintRoot()
    {
        Ipv6Runs runs = _runs[0];
        runs.Sweep(_root, 0);
        Span<uint> root = RootEntries;
        int cell = 0;
        for (int run = 0; run < runs.Ends.Count; run++)
        {
            for (; cell <= runs.Ends[run]; cell++)
            {
                if (root[cell] != runs.Entries[run])
                {
                    Volatile.Write(ref root[cell], runs.Entries[run]);
                }
            }
        }

        _root.IsDirty = false;
        _root.ClearMarks();
    }
}
