using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The prefixes around the engine's addresses, each with the links it is on.</summary>
/// <remarks>A search takes one look-up per prefix length in use, however many prefixes there are.</remarks>
internal sealed class ConnectedPrefixes
{
    private static readonly IpPrefix s_linkLocal = new(IpAddress.FromV6(0xFE80_0000_0000_0000, 0), 10);

    private readonly Dictionary<IpPrefix, List<(Link Link, string Path)>> _byNetwork = [];
    private readonly Dictionary<IpFamily, SortedSet<int>> _lengths = new() { [IpFamily.V4] = [], [IpFamily.V6] = [] };
    private readonly HashSet<Link> _links = [];
    private readonly HashSet<string> _unclear = new(StringComparer.Ordinal);
    private bool _isUnclear;

    /// <summary>Whether an address means something on its own link only, as those of fe80::/10 do.</summary>
    public static bool IsLinkScoped(IpAddress address) => s_linkLocal.Contains(address);

    /// <summary>Notes that an interface of a port could not be read, so that nothing can be said about what is not connected there.</summary>
    public void AddUnclear(string? port)
    {
        _isUnclear = true;
        _unclear.Add(port ?? "");
    }

    public void Add(IpPrefix prefix, Link link, string path)
    {
        _links.Add(link);
        IpPrefix network = prefix.Network;
        if (!_byNetwork.TryGetValue(network, out List<(Link Link, string Path)>? on))
        {
            _byNetwork[network] = on = [];
            _lengths[network.Family].Add(network.Length);
        }

        if (!on.Exists(entry => entry.Link == link))
        {
            on.Add((link, path));
        }
    }

    /// <summary>Whether the engine has an address on the link, or may have one that could not be read.</summary>
    public bool HasLink(Link link) => _links.Contains(link) || IsUnclear(link.Port);

    public bool IsConnected(IpPrefix network) => _byNetwork.ContainsKey(network);

    /// <summary>Whether interfaces could not be read that might hold what was not found; with a port, interfaces of that port.</summary>
    public bool IsUnclear(string? port) => port is null ? _isUnclear : _unclear.Contains(port) || _unclear.Contains("");

    /// <summary>The longest connected prefix that holds an address; with a link, the longest one there.</summary>
    public bool TryFind(IpAddress address, Link? link, out IpPrefix prefix, out Link found)
    {
        if (_lengths.TryGetValue(address.Family, out SortedSet<int>? lengths))
        {
            foreach (int length in lengths.Reverse())
            {
                prefix = new IpPrefix(address, length).Network;
                foreach ((Link candidate, _) in _byNetwork.GetValueOrDefault(prefix) ?? [])
                {
                    if (link is null || candidate == link)
                    {
                        found = candidate;
                        return true;
                    }
                }
            }
        }

        (prefix, found) = (default, default);
        return false;
    }

    /// <summary>Finds a prefix on another link that shares addresses with this one, among those that are as short or shorter.</summary>
    public bool TryFindOverlap(IpPrefix prefix, Link link, out IpPrefix other, out Link otherLink, out string path)
    {
        foreach (int length in _lengths[prefix.Family].GetViewBetween(0, prefix.Length))
        {
            other = new IpPrefix(prefix.Address, length).Network;
            foreach ((Link candidate, string candidatePath) in _byNetwork.GetValueOrDefault(other) ?? [])
            {
                if (candidate != link)
                {
                    (otherLink, path) = (candidate, candidatePath);
                    return true;
                }
            }
        }

        (other, otherLink, path) = (default, default, "");
        return false;
    }
}
