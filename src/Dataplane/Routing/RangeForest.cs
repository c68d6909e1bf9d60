using System.Numerics;
using System.Runtime.Intrinsics;

namespace Dataplane.Routing;

/// <summary>Search trees over address ranges: which of the ranges that cover all keys holds this one?</summary>
/// <remarks>
/// The longest prefix match of an address is the value of the elementary range it lies in, and that range is found by
/// counting how many ranges end below it. A node is one cache line of range ends (8 of 64 bits, 16 of 32, 32 of 16), compared
/// with the key in one vector operation; the number of smaller ends is the child to go to. There is no branch that depends on
/// the key and no pointer to follow: children are found by arithmetic, level by level, as in a heap of B+1 children a node.
/// Immutable: read by any number of threads.
/// </remarks>
/// <typeparam name="T">Unsigned key type.</typeparam>
internal sealed class RangeForest<T>
    where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>, IUnsignedNumber<T>
{
    private readonly T[] _ends;
    private readonly int[] _values;

    internal RangeForest(T[] ends, int[] values)
    {
        _ends = ends;
        _values = values;
    }

    /// <summary>Keys in a node.</summary>
    public static int NodeKeys => Vector512<T>.Count;

    /// <summary>Size of both arrays.</summary>
    public long MemoryBytes => ((long)_ends.Length * (64 / NodeKeys)) + ((long)_values.Length * sizeof(int));

    /// <summary>The value of the range that holds the key; about one cache line per level of the tree and one for the value.</summary>
    public int Find(in RangeRoot root, T key)
    {
        Vector512<T> probe = Vector512.Create(key);
        T[] ends = _ends;
        int node = 0;
        for (int level = root.Depth; level > 0; level--)
        {
            node += 1 + (node * NodeKeys) + CountBelow(ends, root.Inner + (node * NodeKeys), probe);
        }

        int first = node * NodeKeys;
        return _values[root.Values + first + CountBelow(ends, root.Leaf + first, probe)];
    }

    private static int CountBelow(T[] ends, int first, Vector512<T> probe) => BitOperations.PopCount(
        Vector512.LessThan(Vector512.Create(new ReadOnlySpan<T>(ends, first, Vector512<T>.Count)), probe).ExtractMostSignificantBits());
}
