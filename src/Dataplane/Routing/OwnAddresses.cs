using System.Numerics;
using System.Runtime.CompilerServices;
using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>The engine's own addresses as a set that says no in a few instructions. Immutable.</summary>
internal sealed class OwnAddresses
{
    /// <summary>Bits per address: about one address of others in a hundred is looked up in vain.</summary>
    private const int BitsPerAddress = 128;

    private readonly HashSet<IpAddress> _addresses;
    private readonly ulong[] _bloom;
    private readonly int _shift;

    /// <param name="addresses">The engine's own.</param>
    /// <param name="suspects">Addresses of others that packets are stopped at as well, to be looked at exactly.</param>
    public OwnAddresses(IEnumerable<IpAddress> addresses, IReadOnlyCollection<IpAddress>? suspects = null)
    {
        _addresses = [.. addresses];
        suspects ??= [];
        uint words = BitOperations.RoundUpToPowerOf2((uint)Math.Max((_addresses.Count + suspects.Count) * BitsPerAddress / 64, 16));
        _bloom = new ulong[words];
        _shift = 64 - BitOperations.Log2(words * 64);
        foreach (IpAddress address in _addresses.Concat(suspects))
        {
            uint bit = BitOf(address.High, address.Low);
            _bloom[bit >> 6] |= 1UL << (int)(bit & 63);
        }
    }

    /// <summary>No address at all.</summary>
    public static OwnAddresses None { get; } = new([]);

    /// <summary>True when the source of a flow key is one of the addresses.</summary>
    public bool ContainsSource(in FlowKey key) => MayContain(key.SourceHigh, key.SourceLow) && _addresses.Contains(key.Source);

    /// <summary>False when an address is certainly not in the set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Six instructions per packet.
    public bool MayContain(ulong high, ulong low)
    {
        uint bit = BitOf(high, low);
        ulong[] bloom = _bloom;
        uint word = bit >> 6;
        return word < (uint)bloom.Length && (bloom[word] >> (int)(bit & 63) & 1) != 0;
    }

    private uint BitOf(ulong high, ulong low) => (uint)(((high ^ low) * 0x9E3779B97F4A7C15) >> _shift);
}
