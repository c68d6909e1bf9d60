using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>The engine's own addresses as a set that says no in two instructions. Immutable.</summary>
internal sealed class OwnAddresses
{
    private readonly HashSet<IpAddress> _addresses;
    private readonly ulong _bloom;

    public OwnAddresses(IEnumerable<IpAddress> addresses)
    {
        _addresses = [.. addresses];
        foreach (IpAddress address in _addresses)
        {
            _bloom |= 1UL << BitOf(address.High, address.Low);
        }
    }

    /// <summary>True when the source of a flow key is one of the addresses.</summary>
    public bool ContainsSource(in FlowKey key) =>
        (_bloom >> BitOf(key.SourceHigh, key.SourceLow) & 1) != 0 && _addresses.Contains(key.Source);

    private static int BitOf(ulong high, ulong low) => (int)(((high ^ low) * 0x9E3779B97F4A7C15) >> 58);
}
