using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Native;

/// <summary>From an address to the number of its class, read without bounds checks. Immutable.</summary>
/// <remarks>
/// A trie of 16 bits a level: a table by the first 16 bits, below it nodes. A node is one cache line with the last values of up to 32
/// intervals in order, and a second place with what each of them leads to: a class, a node of the same 16 bits (where there are
/// more than 32 intervals), or a node of the next 16. All intervals are compared at once, so that a level costs two lines however
/// many prefixes it holds. What the tables say is checked once, when they are handed over; a node leads only to nodes before it, so every way ends.
/// </remarks>
internal sealed unsafe class PrefixTable
{
    /// <summary>Intervals in a node.</summary>
    public const int Fanout = 32;

    /// <summary>In a target: it is a node, not a class.</summary>
    public const uint NodeFlag = 1u << 31;

    /// <summary>In a target: the node is of the next 16 bits.</summary>
    public const uint NextLevelFlag = 1u << 30;

    /// <summary>In a target: the number of the node or class.</summary>
    public const uint NumberMask = NextLevelFlag - 1;

    internal readonly int[] Root;
    internal readonly uint[] Targets;
    private readonly ushort[] _lasts;
    private readonly int _start;

    /// <summary>Takes tables over; they must not be written to afterwards.</summary>
    /// <param name="root">By the first 16 bits, the number of a node.</param>
    /// <param name="lasts">By node, the last values of its intervals but the last one; 65535 where there are none.</param>
    /// <param name="targets">By node, what its intervals lead to.</param>
    /// <param name="nodes">The number of nodes.</param>
    /// <param name="classes">The number of classes.</param>
    /// <exception cref="ArgumentException">A table is too short, or leads out of the tables or in a circle.</exception>
    public PrefixTable(int[] root, ReadOnlySpan<ushort> lasts, ReadOnlySpan<uint> targets, int nodes, int classes)
    {
        if (root.Length != 1 << 16 || lasts.Length < nodes * Fanout || targets.Length < nodes * Fanout)
            throw new ArgumentException($"Tables of {root.Length}, {lasts.Length} and {targets.Length} entries are not those of {nodes} nodes.", nameof(nodes));
        Root = root;
        (_lasts, _start) = LineAligned.Copy(lasts[..(nodes * Fanout)]);
        Targets = targets[..(nodes * Fanout)].ToArray();
        Classes = classes;
        foreach (int node in Root)
        {
            if ((uint)node >= (uint)nodes)
                throw new ArgumentException($"Node {node} is not among the {nodes} there are.", nameof(root));
        }

        for (int i = 0; i < Targets.Length; i++)
        {
            uint target = Targets[i], number = target & NumberMask;
            if (number >= ((target & NodeFlag) != 0 ? (uint)(i / Fanout) : (uint)classes))
            {
                throw new ArgumentException(
                    $"Interval {i % Fanout} of node {i / Fanout} leads to 0x{target:X8}, which is neither a node before nor a class.", nameof(targets));
            }
        }
    }

    /// <summary>The number of classes.</summary>
    public int Classes { get; }

    /// <summary>Bytes of the tables.</summary>
    public long SizeBytes => (4L * Root.Length) + (2L * _lasts.Length) + (4L * Targets.Length);

    /// <summary>By node, the last values; the first begins a cache line.</summary>
    internal ref readonly ushort Lasts => ref _lasts[_start];

    /// <summary>The class of an address of 32 bits.</summary>
    public int Find(uint address)
    {
        fixed (int* root = Root)
        fixed (ushort* lasts = &_lasts[_start])
        fixed (uint* targets = Targets)
            return (int)Walk(root, lasts, targets, address);
    }

    /// <summary>The class of an address of 128 bits.</summary>
    public int Find(ulong high, ulong low)
    {
        fixed (int* root = Root)
        fixed (ushort* lasts = &_lasts[_start])
        fixed (uint* targets = Targets)
            return (int)Walk(root, lasts, targets, high, low);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Walk(int* root, ushort* lasts, uint* targets, uint address)
    {
        uint target = (uint)root[address >> 16];
        do
            target = Next(lasts, targets, target & NumberMask, (ushort)address);
        while ((int)target < 0);
        return target;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Walk(int* root, ushort* lasts, uint* targets, ulong high, ulong low)
    {
        uint target = (uint)root[high >> 48];
        for (int level = 1; ;)
        {
            target = Next(lasts, targets, target & NumberMask, (ushort)((level < 4 ? high : low) >> (48 - (16 * (level & 3)))));
            if ((int)target >= 0)
                return target;
            level += (int)((target & NextLevelFlag) >> 30);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Next(ushort* lasts, uint* targets, uint node, ushort value) =>
        targets[(node * Fanout) + (uint)Below(lasts + (node * Fanout), value)];

    /// <summary>How many of 32 values are below one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Below(ushort* values, ushort value)
    {
        if (VectorWidth.Use512)
            return BitOperations.PopCount((uint)Vector512.LessThan(Vector512.Load(values), Vector512.Create(value)).ExtractMostSignificantBits());
        int below = 0;
        if (VectorWidth.Use256)
        {
            for (int i = 0; i < Fanout; i += Vector256<ushort>.Count)
                below += BitOperations.PopCount(Vector256.LessThan(Vector256.Load(values + i), Vector256.Create(value)).ExtractMostSignificantBits());
            return below;
        }

        if (VectorWidth.Use128)
        {
            for (int i = 0; i < Fanout; i += Vector128<ushort>.Count)
                below += BitOperations.PopCount(Vector128.LessThan(Vector128.Load(values + i), Vector128.Create(value)).ExtractMostSignificantBits());
            return below;
        }

        for (int i = 0; i < Fanout; i++)
            below += values[i] < value ? 1 : 0;
        return below;
    }
}
