using System.Numerics;
using System.Runtime.Intrinsics;
using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>From an address to the number of the longest prefix that holds it, its class. Immutable.</summary>
/// <remarks>
/// A trie of 16 bits a level: a table by the first 16 bits, below it nodes. A node is one cache line with the last values of up to 32
/// intervals in order, and a second place with what each of them leads to: a class, a node of the same 16 bits (where there are
/// more than 32 intervals), or a node of the next 16. All intervals are compared at once, so that a level costs two lines however
/// many prefixes it holds. Every entry of the first table leads to a node, if only of one interval: for IPv4 the way is nearly always of the same
/// length, and the processor need not guess.
/// </remarks>
internal sealed partial class PrefixMap
{
    private const int Fanout = 32;

    // What an interval leads to: a class, or with the highest bit a node.
    private const uint IsNode = 1u << 31, IsNextLevel = 1u << 30, NumberMask = IsNextLevel - 1;

    private readonly int[] _root;
    private readonly ushort[] _lasts;
    private readonly int _lastsStart;
    private readonly uint[] _targets;

    /// <summary>Prefixes, each once, in order of address and then of length; class n + 1 is that of prefix n, class 0 of addresses in none.</summary>
    public PrefixMap(ReadOnlySpan<PrefixKey> prefixes)
    {
        Parents = ParentsOf(prefixes);
        var builder = new Builder(prefixes, Parents);
        _root = builder.Root;
        (_lasts, _lastsStart, _targets) = builder.Nodes();
    }

    /// <summary>By class: that of the next shorter prefix around it; of class 0: -1. A parent has a lower number.</summary>
    public int[] Parents { get; }

    /// <summary>The number of classes.</summary>
    public int Count => Parents.Length;

    /// <summary>Bytes of what lookups read.</summary>
    public long SizeBytes => (4L * _root.Length) + (2L * _lasts.Length) + (4L * _targets.Length);

    /// <summary>The classes of an address of each of some IPv4 packets.</summary>
    /// <param name="frames">Flow keys of the batch.</param>
    /// <param name="picks">Which packets.</param>
    /// <param name="isSource">Which address.</param>
    /// <param name="classes">Receives one for each pick.</param>
    public void FindV4(ReadOnlySpan<ParsedFrame> frames, ReadOnlySpan<byte> picks, bool isSource, Span<int> classes)
    {
        for (int i = 0; i < picks.Length; i++)
        {
            ref readonly FlowKey key = ref frames[picks[i]].Key;
            classes[i] = FindV4((uint)(isSource ? key.SourceLow : key.DestinationLow));
        }
    }

    /// <summary>The same for IPv6 packets.</summary>
    public void FindV6(ReadOnlySpan<ParsedFrame> frames, ReadOnlySpan<byte> picks, bool isSource, Span<int> classes)
    {
        for (int i = 0; i < picks.Length; i++)
        {
            ref readonly FlowKey key = ref frames[picks[i]].Key;
            classes[i] = isSource ? FindV6(key.SourceHigh, key.SourceLow) : FindV6(key.DestinationHigh, key.DestinationLow);
        }
    }

    /// <summary>The class of an IPv4 address.</summary>
    public int FindV4(uint address)
    {
        uint target = (uint)_root[address >> 16];
        do
        {
            target = Next(target & NumberMask, (ushort)address);
        }
        while ((target & IsNode) != 0);
        return (int)target;
    }

    /// <summary>The class of an IPv6 address.</summary>
    public int FindV6(ulong high, ulong low)
    {
        uint target = (uint)_root[high >> 48];
        int level = 1;
        while (true)
        {
            ushort value = (ushort)((level < 4 ? high : low) >> (48 - (16 * (level & 3))));
            target = Next(target & NumberMask, value);
            if ((target & IsNode) == 0)
            {
                return (int)target;
            }

            level += (target & IsNextLevel) != 0 ? 1 : 0;
        }
    }

    /// <summary>What the interval of a node that holds a value leads to.</summary>
    private uint Next(uint node, ushort value)
    {
        int first = (int)node * Fanout;
        return _targets[first + Below(_lasts.AsSpan(_lastsStart + first, Fanout), value)];
    }

    /// <summary>How many of 32 values are below one.</summary>
    private static int Below(ReadOnlySpan<ushort> values, ushort value)
    {
        if (VectorPaths.Use512)
        {
            return BitOperations.PopCount((uint)Vector512.LessThan(Vector512.Create(values), Vector512.Create(value)).ExtractMostSignificantBits());
        }

        if (VectorPaths.Use256)
        {
            var wanted = Vector256.Create(value);
            return BitOperations.PopCount(Vector256.LessThan(Vector256.Create(values), wanted).ExtractMostSignificantBits())
                + BitOperations.PopCount(Vector256.LessThan(Vector256.Create(values[16..]), wanted).ExtractMostSignificantBits());
        }

        if (VectorPaths.Use128)
        {
            var wanted = Vector128.Create(value);
            int count = 0;
            for (int i = 0; i < values.Length; i += Vector128<ushort>.Count)
            {
                count += BitOperations.PopCount(Vector128.LessThan(Vector128.Create(values[i..]), wanted).ExtractMostSignificantBits());
            }

            return count;
        }

        int below = 0;
        foreach (ushort last in values)
        {
            below += last < value ? 1 : 0;
        }

        return below;
    }

    private static int[] ParentsOf(ReadOnlySpan<PrefixKey> prefixes)
    {
        int[] parents = new int[prefixes.Length + 1];
        parents[0] = -1;
        for (int i = 0; i < prefixes.Length; i++)
        {
            // The one before in order is around this one, or has the next around it among its own parents.
            int parent = i;
            while (parent > 0 && !prefixes[parent - 1].Contains(prefixes[i]))
            {
                parent = parents[parent];
            }

            parents[i + 1] = parent;
        }

        return parents;
    }
}
