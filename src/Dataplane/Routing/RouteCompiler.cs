using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing.Lpm;
using Dataplane.Switching;

namespace Dataplane.Routing;

/// <summary>Turns addresses, routes and services into one longest-prefix table with entries and next hops. Control side.</summary>
/// <remarks>
/// Of several routes for one prefix the engine's own address wins, then broadcast, then the configured route, then the connected one, then the one
/// that was learnt. Routes that lead to the same share an entry, and an entry whose routes are all the same as before keeps its number: then only what it
/// says changes, in one step for all of them, and the table itself stays.
/// </remarks>
internal sealed class RouteCompiler(L3Interface[] interfaces, PortSet ports)
{
    private readonly NextHopBook _hops = new(interfaces, ports);
    private readonly List<RouteDraft> _drafts = [];
    private readonly Dictionary<RouteDraft, int> _draftIndex = [];
    private readonly Dictionary<IReadOnlyList<NextHopSpec>, int> _draftOfVia = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<IpPrefix, int> _byPrefix = [];

    /// <summary>Own addresses, broadcast addresses and connected prefixes.</summary>
    public void AddInterfaces()
    {
        foreach (L3Interface entry in interfaces.Where(entry => entry.Station is null))
        {
            foreach (IpPrefix prefix in entry.Addresses)
            {
                AddOwn(prefix);

                // Link-local prefixes are on every interface; nothing is routed to them.
                if (!(prefix.Address.IsIpv6 && prefix.Address.IsLinkLocal) && prefix.Length < prefix.Address.BitLength)
                {
                    _byPrefix.TryAdd(prefix.Network, Draft(RouteKind.Forward, [new GroupMember(_hops.OnLink[entry.Index], 1)]));
                }
            }
        }
    }

    /// <summary>Gateways and subnets of networks. Endpoints come and go without a change here: they are found in their network.</summary>
    public void AddNetworks(IReadOnlyList<NetworkSpec> networks)
    {
        foreach (IpPrefix prefix in networks.SelectMany(BridgeCompiler.AddressesOf))
        {
            AddOwn(prefix);
            if (!(prefix.Address.IsIpv6 && prefix.Address.IsLinkLocal))
            {
                _byPrefix.TryAdd(prefix.Network, Draft(RouteKind.Network));
            }
        }
    }

    /// <summary>Static routes.</summary>
    public void AddRoutes(IReadOnlyList<RouteSpec> routes)
    {
        foreach (RouteSpec route in routes)
        {
            IpPrefix prefix = route.To.Network;
            bool isHostOfOurs = _byPrefix.TryGetValue(prefix, out int draft) && _drafts[draft].Kind is RouteKind.Local or RouteKind.Broadcast;
            if (!isHostOfOurs)
            {
                _byPrefix[prefix] = Draft(route);
            }
        }
    }

    /// <summary>Service addresses are the engine's own: it answers echo for them, and refuses what no service takes.</summary>
    public void AddServed(IEnumerable<IpAddress> addresses)
    {
        foreach (IpAddress address in addresses)
        {
            _byPrefix[IpPrefix.Host(address)] = Draft(RouteKind.Local);
        }
    }

    /// <summary>Makes the tables. Call once, when everything has been added.</summary>
    /// <param name="learnt">Routes learnt while running.</param>
    /// <param name="previous">The routes in force; null at the start.</param>
    /// <param name="periods">Where readers of the table say that they have passed.</param>
    public CompiledRoutes Compile(IReadOnlyCollection<RouteSpec> learnt, CompiledRoutes? previous, GracePeriods periods)
    {
        HashSet<IpPrefix> configured = [.. _byPrefix.Keys];
        foreach (RouteSpec route in learnt)
        {
            _byPrefix.TryAdd(route.To.Network, Draft(route));
        }

        (int[] values, int[] replaced) = RouteNumbers.Assign(_drafts, _byPrefix, previous, _hops);
        NextHop[] hops = _hops.All;
        int HopNow(int hop) => _hops.Find(previous!.Hops[hop]);
        var entries = new RouteEntry?[values.DefaultIfEmpty(0).Max() + 1];
        for (int draft = 0; draft < values.Length; draft++)
        {
            entries[values[draft]] = _drafts[draft].ToEntry(previous?.Entries[replaced[draft]], HopNow);
        }

        var uses = new int[entries.Length];
        bool isSame = previous is not null && previous.Table.Count == _byPrefix.Count;
        foreach ((IpPrefix prefix, int draft) in _byPrefix)
        {
            uses[values[draft]]++;
            isSame = isSame && previous!.Table.Find(prefix) == values[draft];
        }

        RouteTable table = isSame ? previous!.Table : new RouteTable(periods);
        if (!isSame)
        {
            table.Apply([.. _byPrefix.Select(route => new RouteChange(route.Key, values[route.Value]))]);
        }

        return new CompiledRoutes { Table = table, Entries = entries, Hops = hops, OnLinkHops = _hops.OnLink, Configured = configured, Uses = uses };
    }

    private void AddOwn(IpPrefix prefix)
    {
        _byPrefix[IpPrefix.Host(prefix.Address)] = Draft(RouteKind.Local);
        if (prefix.Address.IsIpv4 && prefix.Length < 31)
        {
            // Directed broadcast, and the network address that old hosts took for it (RFC 1812 4.2.3.1, RFC 2644).
            _byPrefix.TryAdd(IpPrefix.Host(prefix.Last), Draft(RouteKind.Broadcast));
            _byPrefix.TryAdd(IpPrefix.Host(prefix.First), Draft(RouteKind.Broadcast));
        }
    }

    private int Draft(RouteSpec route)
    {
        RouteKind kind = RouteDraft.KindOf(route);
        if (kind != RouteKind.Forward)
        {
            return Draft(kind);
        }

        // A million routes may name one list of next hops.
        if (!_draftOfVia.TryGetValue(route.Via, out int draft))
        {
            draft = Draft(kind, _hops.Members(route.Via));
            _draftOfVia.Add(route.Via, draft);
        }

        return draft;
    }

    private int Draft(RouteKind kind, GroupMember[]? members = null)
    {
        var draft = new RouteDraft(kind, members ?? []);
        if (!_draftIndex.TryGetValue(draft, out int index))
        {
            index = _drafts.Count;
            _draftIndex.Add(draft, index);
            _drafts.Add(draft);
        }

        return index;
    }
}
