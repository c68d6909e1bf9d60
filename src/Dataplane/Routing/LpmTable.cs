using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>Longest prefix match for IPv4 and IPv6: an immutable table from prefixes to values.</summary>
/// <remarks>
/// Prefixes are turned into elementary ranges at build time and ranges are searched a cache line at a time (see
/// <see cref="RangeForest{T}"/>). A small IPv4 table is one tree of 32-bit ends; a large one has an entry for each of the
/// 65,536 upper halves, which is the value itself or leads to a tree of 16-bit ends. IPv6 is one tree over the upper 64 bits, with a
/// further tree over the lower 64 for those upper halves that longer prefixes divide. A changed table is built anew; readers
/// need no lock.
/// </remarks>
internal sealed class LpmTable
{
    /// <summary>What a lookup gives when no prefix holds the address.</summary>
    public const int NoMatch = -1;

    private readonly int[] _direct;
    private readonly RangeForest<ushort> _lowV4;
    private readonly RangeRoot[] _lowV4Roots;
    private readonly RangeForest<uint> _wholeV4;
    private readonly RangeRoot _wholeV4Root;
    private readonly RangeForest<ulong> _highV6;
    private readonly RangeRoot _highV6Root;
    private readonly RangeForest<ulong> _lowV6;
    private readonly RangeRoot[] _lowV6Roots;

    internal LpmTable(LpmBuilder built)
    {
        _direct = built.Direct;
        _lowV4 = built.LowV4.Build(out _lowV4Roots);
        _wholeV4 = built.WholeV4.Build(out RangeRoot[] wholeV4Roots);
        _wholeV4Root = wholeV4Roots.Length == 0 ? default : wholeV4Roots[0];
        _highV6 = built.HighV6.Build(out RangeRoot[] highV6Roots);
        _highV6Root = highV6Roots[0];
        _lowV6 = built.LowV6.Build(out _lowV6Roots);
    }

    /// <summary>Size of the table in bytes, object headers aside.</summary>
    public long MemoryBytes => ((long)_direct.Length * sizeof(int)) + (16L * (_lowV4Roots.Length + _lowV6Roots.Length + 2))
        + _lowV4.MemoryBytes + _wholeV4.MemoryBytes + _highV6.MemoryBytes + _lowV6.MemoryBytes;

    /// <summary>Builds a table. Host bits of prefixes do not matter; of equal prefixes the last counts.</summary>
    /// <param name="routes">Prefixes of either family, in any order, with values of 0 or more.</param>
    /// <exception cref="ArgumentException">A prefix without an address, or a negative value.</exception>
    public static LpmTable Build(IReadOnlyList<(IpPrefix Prefix, int Value)> routes) => new(new LpmBuilder(routes));

    /// <summary>The value of the longest prefix that holds an IPv4 address, or <see cref="NoMatch"/>.</summary>
    /// <param name="address">In host order.</param>
    public int LookupV4(uint address)
    {
        int[] direct = _direct;
        uint high = address >> 16;
        if (high >= (uint)direct.Length)
        {
            return _wholeV4.Find(in _wholeV4Root, address);
        }

        int entry = direct[high];
        return entry >= NoMatch ? entry : _lowV4.Find(in _lowV4Roots[LpmBuilder.TreeOf(entry)], (ushort)address);
    }

    /// <summary>The value of the longest prefix that holds an IPv6 address, or <see cref="NoMatch"/>.</summary>
    /// <param name="high">Upper 64 bits in host order.</param>
    /// <param name="low">Lower 64 bits in host order.</param>
    public int LookupV6(ulong high, ulong low)
    {
        int entry = _highV6.Find(in _highV6Root, high);
        return entry >= NoMatch ? entry : _lowV6.Find(in _lowV6Roots[LpmBuilder.TreeOf(entry)], low);
    }

    /// <summary>The value of the longest prefix that holds an address, or <see cref="NoMatch"/>.</summary>
    public int Lookup(IpAddress address) => address.Family switch
    {
        IpFamily.V4 => LookupV4((uint)address.Low),
        IpFamily.V6 => LookupV6(address.High, address.Low),
        _ => NoMatch,
    };
}
