using System.Runtime.InteropServices;
using Dataplane.Native;

namespace Dataplane.Routing.Lpm;

/// <summary>All IPv6 routes as a tree of steps (<see cref="Ipv6Steps"/>), and the blocks made of them. One writer.</summary>
/// <remarks>
/// <see cref="Note"/> changes routes and marks the way from the root; <see cref="Publish"/> goes the marked ways: a node whose routes or children have changed gets
/// a new block, one whose children only have new blocks gets new entries in the block it has; root and directories, which have an entry for each cell, are always
/// changed in place. What a node sweeps anew is the narrowest prefix that holds what has changed. So a route deep in the tree costs one small
/// block and one store, which is the instant at which it takes effect.
/// </remarks>
internal sealed class Ipv6TableWriter
{
    private readonly MappedRegion _rootTable;
    private readonly Ipv6BlockWriter _blockWriter;
    private readonly Ipv6Node _root = new(null, 0, 0);
    private readonly Ipv6Runs[] _runs = new Ipv6Runs[Ipv6Steps.Count];

    /// <summary>Blocks that are in no entry any more once the root's are up to date.</summary>
    private readonly List<Ipv6Block> _dead = [];

    public Ipv6TableWriter(MappedRegion rootTable, BlockArena blocks)
    {
        _rootTable = rootTable;
        _blockWriter = new Ipv6BlockWriter(blocks);
        Func<Ipv6Node, int, uint> settle = Settle;
        for (int level = 0; level < Ipv6Steps.Count; level++)
        {
            _runs[level] = new Ipv6Runs(settle);
        }
    }

    public int Count { get; private set; }

    /// <summary>Bytes of routes and nodes, roughly.</summary>
    public long ControlBytes => MemoryOf(_root);

    public int Find(UInt128 first, int length)
    {
        int level = Ipv6Steps.LevelOf(length);
        Ipv6Node? node = _root;
        for (int above = 0; above < level && node is not null; above++)
        {
            node = node.Child(Ipv6Steps.CellOf(first, above));
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
            ushort cell = Ipv6Steps.CellOf(address, level);
            int found = node.Longest(cell, node.StepBits).Length;
            longest = found >= 0 ? Ipv6Steps.BitsAbove(level) + found : longest;
            node = level < Ipv6Steps.Count - 1 ? node.Child(cell) : null;
        }

        return longest;
    }

    /// <summary>Sets, replaces or (with value 0) takes out a route, without effect on lookups yet.</summary>
    /// <returns>The value it had, 0 for none.</returns>
    public int Note(UInt128 first, int length, int value)
    {
        int level = Ipv6Steps.LevelOf(length);
        Ipv6Node node = _root;
        for (int above = 0; above < level; above++)
        {
            ushort cell = Ipv6Steps.CellOf(first, above);
            Ipv6Node? child = node.Child(cell);
            if (child is null)
            {
                if (value == 0)
                {
                    return 0;
                }

                child = node.GetOrAddChild(cell);
                child.MarkDirty(0, 0);
                node.MarkDirty(cell, node.StepBits);
            }

            node = child;
        }

        (int at, int inStep) = InStep(first, length, level);
        int before = node.Set(at, inStep, value);
        if (before != value)
        {
            Count += (value != 0 ? 1 : 0) - (before != 0 ? 1 : 0);
            node.MarkDirty(at, inStep);
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
            Paint(_root, 0, RootEntries);
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

    private static (int Cell, int InStep) InStep(UInt128 first, int length, int level)
    {
        int inStep = length - Ipv6Steps.BitsAbove(level), last = (1 << Ipv6Steps.BitsOf(level)) - 1;
        return (Ipv6Steps.CellOf(first, level) & ~(last >> inStep), inStep);
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

            parent.MarkDirty(node.Cell, parent.StepBits);
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
        if (node.Level == Ipv6Steps.Directory)
        {
            if (node.Block.Entry == 0)
            {
                // A new node is dirty as a whole: it is painted before any reader is shown it.
                node.Block = _blockWriter.MakeDirectory((uint)cover);
            }

            Paint(node, cover, _blockWriter.EntriesOf(node.Block));
            return;
        }

        (int first, int length) = node.Block.Entry == 0 || node.Cover != cover ? (0, 0) : node.Dirty;
        Ipv6Runs runs = _runs[node.Level];
        if (length == 0)
        {
            runs.Sweep(node, cover, 0, 0);
        }
        else
        {
            SettleMarkedOutside(node, first, length);
            runs.Renew(node, cover, first, length);
        }

        Ipv6Block block = node.Level == Ipv6Steps.Node ? _blockWriter.MakeNode(runs.Ends, runs.Entries) : _blockWriter.Make(runs.Ends, runs.Entries);
        node.SetRuns(runs.Ends, runs.Entries);
        if (node.Block.Entry != 0)
        {
            _dead.Add(node.Block);
        }

        (node.Block, node.Cover) = (block, cover);
        node.MarkClean();
    }

    /// <summary>New blocks for the marked children of a node, whose own block only changes in the entries for them.</summary>
    private void SettleMarked(Ipv6Node node)
    {
        foreach (Ipv6Node child in node.Marked)
        {
            SettleInPlace(node, child);
        }

        node.ClearMarks();
    }

    /// <summary>As <see cref="SettleMarked"/>, but for the children in a prefix, which a sweep will settle: there what holds around them may have changed too.</summary>
    private void SettleMarkedOutside(Ipv6Node node, int first, int length)
    {
        int last = first | (node.LastCell >> length);
        foreach (Ipv6Node child in node.Marked)
        {
            if (child.Cell < first || child.Cell > last)
            {
                SettleInPlace(node, child);
            }
        }
    }

    private void SettleInPlace(Ipv6Node node, Ipv6Node child)
    {
        uint before = child.Block.Entry, entry = Settle(child, child.Cover);
        if (entry == before)
        {
            return;
        }

        if (node.Level <= Ipv6Steps.Directory)
        {
            Volatile.Write(ref (node.Level == 0 ? RootEntries : _blockWriter.EntriesOf(node.Block))[child.Cell], entry);
            return;
        }

        int run = Ipv6Runs.At(node.Ends, child.Cell);
        node.Entries[run] = entry;
        ref uint place = ref node.Level == Ipv6Steps.Node
            ? ref _blockWriter.EntryOfNode(node.Block, run, node.Ends.Length) : ref _blockWriter.EntryOf(node.Block, child.Cell);
        Volatile.Write(ref place, entry);
    }

    private Span<uint> RootEntries => MemoryMarshal.Cast<byte, uint>(_rootTable.Span)[..(Ipv6PrefixKernel.RootBytes / sizeof(uint))];

    /// <summary>Changes the entries of a root or directory where they are not right, each at once.</summary>
    private void Paint(Ipv6Node node, int cover, Span<uint> entries)
    {
        (int first, int length) = node.Cover != cover ? (0, 0) : node.Dirty;
        SettleMarkedOutside(node, first, length);
        Ipv6Runs runs = _runs[node.Level];
        runs.Sweep(node, cover, first, length);
        ReadOnlySpan<ushort> ends = runs.Ends;
        ReadOnlySpan<uint> right = runs.Entries;
        for (int run = 0, cell = first; run < ends.Length; run++)
        {
            for (; cell <= ends[run]; cell++)
            {
                if (entries[cell] != right[run])
                {
                    Volatile.Write(ref entries[cell], right[run]);
                }
            }
        }

        node.Cover = cover;
        node.MarkClean();
    }
}
