using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>Lays search trees out for a <see cref="RangeForest{T}"/>. Used by the control side.</summary>
/// <typeparam name="T">Unsigned key type.</typeparam>
internal sealed class RangeForestBuilder<T>
    where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>, IUnsignedNumber<T>
{
    private readonly List<RangeRoot> _roots = [];
    private T[] _ends = [];
    private int[] _values = [];
    private int _endCount;
    private int _valueCount;

    private static int NodeKeys => RangeForest<T>.NodeKeys;

    private static int FanOut => NodeKeys + 1;

    /// <summary>Trees added so far.</summary>
    public int Count => _roots.Count;

    /// <summary>Adds a tree and returns its number.</summary>
    /// <param name="starts">First key of every range in rising order, the first of them 0; a range ends before the next begins, the last at the highest key.</param>
    /// <param name="values">The value of every range.</param>
    public int Add(ReadOnlySpan<T> starts, ReadOnlySpan<int> values)
    {
        int leaves = (starts.Length + NodeKeys - 1) / NodeKeys;
        int depth = 0, levelNodes = 1, above = 0;
        while (levelNodes < leaves)
        {
            above += levelNodes;
            levelNodes *= FanOut;
            depth++;
        }

        // Inner levels are laid out as if full; of the lowest only the nodes above real leaves are there.
        int inner = depth == 0 ? 0 : above - (levelNodes / FanOut) + ((leaves + FanOut - 1) / FanOut);
        int firstInner = _endCount, firstLeaf = _endCount + (inner * NodeKeys);
        Reserve((inner + leaves) * NodeKeys, starts.Length);

        FillInner(starts, firstInner, depth, inner);
        Span<T> leafEnds = _ends.AsSpan(firstLeaf, leaves * NodeKeys);
        leafEnds.Fill(T.MaxValue);
        for (int range = 1; range < starts.Length; range++)
        {
            leafEnds[range - 1] = starts[range] - T.One;
        }

        values.CopyTo(_values.AsSpan(_valueCount));
        _roots.Add(new RangeRoot(firstInner, firstLeaf - (above * NodeKeys), _valueCount - (above * NodeKeys), depth));
        _endCount = firstLeaf + (leaves * NodeKeys);
        _valueCount += starts.Length;
        return _roots.Count - 1;
    }

    /// <summary>Makes the forest of all trees added.</summary>
    /// <param name="roots">Their roots by number.</param>
    public RangeForest<T> Build(out RangeRoot[] roots)
    {
        var ends = new CacheLineArray<T>(_endCount);
        _ends.AsSpan(0, _endCount).CopyTo(ends.Elements.AsSpan(ends.Start));
        roots = [.. _roots];
        for (int tree = 0; tree < roots.Length; tree++)
        {
            RangeRoot root = roots[tree];
            roots[tree] = root with { Inner = root.Inner + ends.Start, Leaf = root.Leaf + ends.Start };
        }

        return new RangeForest<T>(ends.Elements, _values.AsSpan(0, _valueCount).ToArray());
    }

    /// <summary>A key of an inner node is the highest end in the subtree of the child of the same number.</summary>
    private void FillInner(ReadOnlySpan<T> starts, int firstInner, int depth, int nodes)
    {
        long childLeaves = 1;
        for (int level = 1; level < depth; level++)
        {
            childLeaves *= FanOut;
        }

        int node = 0, levelNodes = 1;
        for (int level = 0; level < depth; level++)
        {
            for (int inLevel = 0; inLevel < levelNodes && node < nodes; inLevel++, node++)
            {
                for (int key = 0; key < NodeKeys; key++)
                {
                    long next = (((long)inLevel * FanOut) + key + 1) * childLeaves * NodeKeys;
                    _ends[firstInner + (node * NodeKeys) + key] = next < starts.Length ? starts[(int)next] - T.One : T.MaxValue;
                }
            }

            levelNodes *= FanOut;
            childLeaves /= FanOut;
        }
    }

    private void Reserve(int ends, int values)
    {
        if (_ends.Length < _endCount + ends)
        {
            Array.Resize(ref _ends, Math.Max(_endCount + ends, _ends.Length * 2));
        }

        if (_values.Length < _valueCount + values)
        {
            Array.Resize(ref _values, Math.Max(_valueCount + values, _values.Length * 2));
        }
    }
}
