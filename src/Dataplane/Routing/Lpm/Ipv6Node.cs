namespace Dataplane.Routing.Lpm;

/// <summary>The routes of one place in the IPv6 address space, for the writer: those whose length ends within one 16-bit step below it.</summary>
/// <param name="parent">The node one step wider, null for the root.</param>
/// <param name="level">Steps above it, 0 for the root.</param>
/// <param name="cell">Its 16 bits in the parent.</param>
internal sealed class Ipv6Node(Ipv6Node? parent, int level, ushort cell)
{
    private const int LengthBits = 5;

    private readonly List<Ipv6Node> _marked = [];
    private uint[] _keys = [];
    private int[] _values = [];
    private Ipv6Node[] _children = [];

    /// <summary>Whether the parent's list of marks has this node.</summary>
    private bool _isMarked;

    public Ipv6Node? Parent { get; } = parent;

    public int Level { get; } = level;

    public ushort Cell { get; } = cell;

    /// <summary>Routes here.</summary>
    public int Count { get; private set; }

    public int ChildCount { get; private set; }

    /// <summary>What readers have of it; none before the first.</summary>
    public Ipv6Block Block { get; set; }

    /// <summary>What the parent's routes say of the whole node, as it is in the block.</summary>
    public int Cover { get; set; }

    /// <summary>The block is not what the routes say.</summary>
    public bool IsDirty { get; set; }

    /// <summary>Children that are dirty or have marks themselves: where this node stays clean, only the entries for them change.</summary>
    public IReadOnlyList<Ipv6Node> Marked => _marked;

    public bool IsEmpty => Count == 0 && ChildCount == 0;

    /// <summary>Size in bytes, roughly.</summary>
    public long MemoryBytes => 120 + (_keys.Length * 8L) + (_children.Length * 8L);

    /// <summary>Children in the order of their cells.</summary>
    public ReadOnlySpan<Ipv6Node> Children => _children.AsSpan(0, ChildCount);

    /// <summary>The route at a place in the order of first cells, wider before narrower.</summary>
    public (int First, int Last, int Value) this[int index]
    {
        get
        {
            uint key = _keys[index];
            int first = (int)(key >> LengthBits);
            return (first, first | (0xFFFF >> (int)(key & 31)), _values[index]);
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

    /// <summary>Notes that the block is not right any more, and marks the way to it.</summary>
    public void MarkDirty()
    {
        IsDirty = true;
        for (Ipv6Node node = this; node.Parent is { } parent && !node._isMarked; node = parent)
        {
            node._isMarked = true;
            parent._marked.Add(node);
        }
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
            Count++;
        }

        return 0;
    }

    /// <summary>The longest route that holds a cell whole.</summary>
    /// <returns>Its length in the step, -1 for none.</returns>
    public int Longest(int cell)
    {
        for (int length = 16; length >= 0; length--)
        {
            if (Find(cell & ~(0xFFFF >> length), length) != 0)
            {
                return length;
            }
        }

        return -1;
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
