using System.Numerics;

namespace Dataplane.Routing.Lpm;

/// <summary>The routes of one place in the IPv6 address space, for the writer: those whose length ends within one step below it.</summary>
/// <param name="parent">The node one step wider, null for the root.</param>
/// <param name="level">Steps above it, 0 for the root.</param>
/// <param name="cell">Its bits in the parent's step.</param>
internal sealed class Ipv6Node(Ipv6Node? parent, int level, ushort cell)
{
    private const int LengthBits = 5;

    private readonly List<Ipv6Node> _marked = [];
    private uint[] _keys = [];
    private int[] _values = [];
    private Ipv6Node[] _children = [];
    private ushort[] _ends = [];
    private uint[] _entries = [];
    private int _runs;

    /// <summary>A bit for each length in the step of which there has been a route.</summary>
    private uint _lengths;

    /// <summary>Whether the parent's list of marks has this node.</summary>
    private bool _isMarked;

    public Ipv6Node? Parent { get; } = parent;

    public int Level { get; } = level;

    public ushort Cell { get; } = cell;

    /// <summary>Bits of the step that the node divides.</summary>
    public int StepBits { get; } = Ipv6Steps.BitsOf(level);

    /// <summary>The last cell there is.</summary>
    public int LastCell => (1 << StepBits) - 1;

    /// <summary>Routes here.</summary>
    public int Count { get; private set; }

    public int ChildCount { get; private set; }

    /// <summary>What readers have of it; none before the first.</summary>
    public Ipv6Block Block { get; set; }

    /// <summary>What the parent's routes say of the whole node, as it is in the block.</summary>
    public int Cover { get; set; }

    /// <summary>The block is not what the routes say.</summary>
    public bool IsDirty { get; private set; }

    /// <summary>Where it is not: the first cell of the narrowest prefix that holds everything that has changed, and its length in the step.</summary>
    public (int First, int Length) Dirty { get; private set; }

    /// <summary>Last cell of each run of the block, in rising order; kept so that a change looks only at what it touches. A root and directories have none.</summary>
    public ReadOnlySpan<ushort> Ends => _ends.AsSpan(0, _runs);

    /// <summary>The entry of each run.</summary>
    public Span<uint> Entries => _entries.AsSpan(0, _runs);

    /// <summary>Children that are dirty or have marks themselves: where this node stays clean, only the entries for them change.</summary>
    public IReadOnlyList<Ipv6Node> Marked => _marked;

    public bool IsEmpty => Count == 0 && ChildCount == 0;

    /// <summary>Size in bytes, roughly.</summary>
    public long MemoryBytes => 168 + (_keys.Length * 8L) + (_children.Length * 8L) + (_ends.Length * 6L);

    /// <summary>Children in the order of their cells.</summary>
    public ReadOnlySpan<Ipv6Node> Children => _children.AsSpan(0, ChildCount);

    /// <summary>The route at a place in the order of first cells, wider before narrower.</summary>
    public (int First, int Last, int Value) this[int index]
    {
        get
        {
            uint key = _keys[index];
            int first = (int)(key >> LengthBits);
            return (first, first | (LastCell >> (int)(key & 31)), _values[index]);
        }
    }

    /// <summary>The child for a cell, or null.</summary>
    public Ipv6Node? Child(ushort cell)
    {
        int at = SearchChild(cell);
        return at >= 0 ? _children[at] : null;
    }

    /// <summary>The child for a cell, made when there is none.</summary>
    public Ipv6Node GetOrAddChild(ushort cell)
    {
        int at = SearchChild(cell);
        if (at >= 0)
        {
            return _children[at];
        }

        if (ChildCount == _children.Length)
        {
            Array.Resize(ref _children, Math.Max(2, ChildCount * 2));
        }

        Array.Copy(_children, ~at, _children, ~at + 1, ChildCount - ~at);
        ChildCount++;
        return _children[~at] = new Ipv6Node(this, Level + 1, cell);
    }

    /// <summary>Notes that the block is not right any more where a prefix is, and marks the way to it.</summary>
    /// <param name="first">First cell.</param>
    /// <param name="length">0 for all of it to the bits of the step.</param>
    public void MarkDirty(int first, int length)
    {
        if (IsDirty)
        {
            int common = StepBits - 32 + BitOperations.LeadingZeroCount((uint)(first ^ Dirty.First));
            length = Math.Min(Math.Min(length, Dirty.Length), common);
        }

        (IsDirty, Dirty) = (true, (first & ~(LastCell >> length), length));
        for (Ipv6Node node = this; node.Parent is { } parent && !node._isMarked; node = parent)
        {
            node._isMarked = true;
            parent._marked.Add(node);
        }
    }

    /// <summary>The block is what the routes say, and what it leads to.</summary>
    public void MarkClean()
    {
        IsDirty = false;
        ClearMarks();
    }

    /// <summary>Remembers the runs of the block.</summary>
    public void SetRuns(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        _runs = ends.Length;
        if (_ends.Length < _runs || _ends.Length > _runs * 2)
        {
            int capacity = _runs + (_runs / 4);
            (_ends, _entries) = (new ushort[capacity], new uint[capacity]);
        }

        ends.CopyTo(_ends);
        entries.CopyTo(_entries);
    }

    /// <summary>Forgets the marks: everything below is up to date.</summary>
    public void ClearMarks()
    {
        foreach (Ipv6Node child in _marked)
        {
            child._isMarked = false;
        }

        _marked.Clear();
    }

    /// <summary>Forgets a child.</summary>
    public void Remove(Ipv6Node child)
    {
        if (child._isMarked)
        {
            _marked.Remove(child);
        }

        int at = SearchChild(child.Cell);
        Array.Copy(_children, at + 1, _children, at, ChildCount - at - 1);
        _children[--ChildCount] = null!;
    }

    /// <summary>The value of a route, 0 for none.</summary>
    /// <param name="first">First cell.</param>
    /// <param name="length">0 to 16 of the step.</param>
    public int Find(int first, int length)
    {
        int at = Search(Key(first, length));
        return at >= 0 ? _values[at] : 0;
    }

    /// <summary>Sets, replaces or (with value 0) takes out a route.</summary>
    /// <returns>The value it had, 0 for none.</returns>
    public int Set(int first, int length, int value)
    {
        int at = Search(Key(first, length));
        if (at >= 0)
        {
            int before = _values[at];
            _values[at] = value;
            if (value == 0)
            {
                Count--;
                Array.Copy(_keys, at + 1, _keys, at, Count - at);
                Array.Copy(_values, at + 1, _values, at, Count - at);
            }

            return before;
        }

        if (value != 0)
        {
            if (Count == _keys.Length)
            {
                int capacity = Math.Max(2, Count + Math.Max(2, Count / 2));
                Array.Resize(ref _keys, capacity);
                Array.Resize(ref _values, capacity);
            }

            Array.Copy(_keys, ~at, _keys, ~at + 1, Count - ~at);
            Array.Copy(_values, ~at, _values, ~at + 1, Count - ~at);
            (_keys[~at], _values[~at]) = (Key(first, length), value);
            _lengths |= 1u << length;
            Count++;
        }

        return 0;
    }

    /// <summary>The longest route that holds a prefix whole.</summary>
    /// <param name="cell">A cell of it.</param>
    /// <param name="longest">Its length in the step, 0 to <see cref="StepBits"/>.</param>
    /// <returns>The route's length in the step and its value, -1 and 0 for none.</returns>
    public (int Length, int Value) Longest(int cell, int longest)
    {
        for (uint lengths = _lengths & (uint.MaxValue >> (31 - longest)); lengths != 0;)
        {
            int length = BitOperations.Log2(lengths), value = Find(cell & ~(LastCell >> length), length);
            if (value != 0)
            {
                return (length, value);
            }

            lengths ^= 1u << length;
        }

        return (-1, 0);
    }

    /// <summary>The place of the first route behind a prefix, in the order of the indexer: those within it follow.</summary>
    public int RoutesWithin(int first, int length)
    {
        int at = Search(Key(first, length));
        return at >= 0 ? at + 1 : ~at;
    }

    /// <summary>The place of the first child from a cell on.</summary>
    public int ChildrenFrom(int cell)
    {
        int at = SearchChild((ushort)cell);
        return at >= 0 ? at : ~at;
    }

    private static uint Key(int first, int length) => ((uint)first << LengthBits) | (uint)length;

    private int Search(uint key) => Array.BinarySearch(_keys, 0, Count, key);

    private int SearchChild(ushort cell)
    {
        int low = 0, high = ChildCount;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_children[middle].Cell < cell)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low < ChildCount && _children[low].Cell == cell ? low : ~low;
    }
}
