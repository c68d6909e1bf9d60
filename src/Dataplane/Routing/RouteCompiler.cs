using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Routing;

/// <summary>Turns addresses, routes and services into one longest-prefix table with entries and next hops. Control side.</summary>
/// <remarks>Of several routes for one prefix the engine's own address wins, then broadcast, then the configured route, then the connected one.</remarks>
internal sealed class RouteCompiler
{
    /// <summary>Slots of an ECMP group: shares are exact to one in 256.</summary>
    private const int GroupSlots = 256;

    private readonly L3Interface[] _interfaces;
    private readonly PortSet _ports;
    private readonly List<RouteEntry> _entries = [];
    private readonly List<NextHop> _hops = [];
    private readonly Dictionary<(short Interface, IpAddress Gateway), int> _hopIndex = [];
    private readonly Dictionary<IpPrefix, int> _byPrefix = [];

    public RouteCompiler(L3Interface[] interfaces, PortSet ports)
    {
        _interfaces = interfaces;
        _ports = ports;
        OnLinkHops = [.. interfaces.Select(entry => HopIndex(entry, default))];
    }

    public RouteEntry[] Entries => [.. _entries];

    public NextHop[] NextHops => [.. _hops];

    public int[] OnLinkHops { get; }

    /// <summary>Own addresses, broadcast addresses and connected prefixes.</summary>
    public void AddInterfaces()
    {
        foreach (L3Interface entry in _interfaces)
        {
            foreach (IpPrefix prefix in entry.Addresses)
            {
                Set(IpPrefix.Host(prefix.Address), RouteKind.Local, []);
                if (prefix.Address.IsIpv4 && prefix.Length < 31)
                {
                    // Directed broadcast, and the network address that old hosts took for it (RFC 1812 4.2.3.1, RFC 2644).
                    Set(IpPrefix.Host(prefix.Last), RouteKind.Broadcast, [], overwrite: false);
                    Set(IpPrefix.Host(prefix.First), RouteKind.Broadcast, [], overwrite: false);
                }

                // Link-local prefixes are on every interface; nothing is routed to them.
                if (!(prefix.Address.IsIpv6 && prefix.Address.IsLinkLocal) && prefix.Length < prefix.Address.BitLength)
                {
                    Set(prefix.Network, RouteKind.Forward, [HopIndex(entry, default)], overwrite: false);
                }
            }
        }
    }

    /// <summary>Static routes.</summary>
    public void AddRoutes(IReadOnlyList<RouteSpec> routes)
    {
        foreach (RouteSpec route in routes)
        {
            RouteKind kind = route.Reject switch
            {
                RouteReject.Blackhole => RouteKind.Blackhole,
                RouteReject.Unreachable => RouteKind.Unreachable,
                RouteReject.Prohibited => RouteKind.Prohibited,
                _ => RouteKind.Forward,
            };
            bool isHostOfOurs = _byPrefix.TryGetValue(route.To.Network, out int index) && _entries[index].Kind is RouteKind.Local or RouteKind.Broadcast;
            if (!isHostOfOurs)
            {
                Set(route.To.Network, kind, kind == RouteKind.Forward ? Slots(route.Via) : []);
            }
        }
    }

    /// <summary>Service addresses are the engine's own: it answers echo for them, and refuses what no service takes.</summary>
    public void AddServices(IReadOnlyList<ServiceSpec> services)
    {
        foreach (ServiceSpec service in services)
        {
            Set(IpPrefix.Host(service.Address), RouteKind.Local, []);
        }
    }

    public LpmTable BuildTable() => LpmTable.Build([.. _byPrefix.Select(entry => (entry.Key, entry.Value))]);

    private void Set(IpPrefix prefix, RouteKind kind, int[] slots, bool overwrite = true)
    {
        if (_byPrefix.TryGetValue(prefix, out int index))
        {
            if (overwrite)
            {
                _entries[index] = new RouteEntry { Kind = kind, Prefix = prefix, Slots = slots };
            }

            return;
        }

        _byPrefix[prefix] = _entries.Count;
        _entries.Add(new RouteEntry { Kind = kind, Prefix = prefix, Slots = slots });
    }

    private int[] Slots(IReadOnlyList<NextHopSpec> via)
    {
        int[] hops = [.. via.Select(hop => HopIndex(InterfaceFor(hop), hop.Address ?? default))];
        if (hops.Length == 1)
        {
            return hops;
        }

        int[] weights = [.. via.Select(hop => hop.Weight)];
        return [.. WeightedSlots.Build(weights, Math.Max(GroupSlots, hops.Length)).Select(member => hops[member])];
    }

    private L3Interface InterfaceFor(NextHopSpec hop)
    {
        if (hop.Port.Length > 0)
        {
            int port = _ports.IdOf(hop.Port);
            return _interfaces.First(entry => entry.Port == port && entry.Vlan == hop.Vlan);
        }

        // The longest connected prefix that holds the gateway.
        IpAddress gateway = hop.Address!.Value;
        return _interfaces.MaxBy(entry => entry.Addresses.Where(prefix => prefix.Contains(gateway)).Select(prefix => prefix.Length).DefaultIfEmpty(-1).Max())!;
    }

    private int HopIndex(L3Interface entry, IpAddress gateway)
    {
        if (!_hopIndex.TryGetValue((entry.Index, gateway), out int index))
        {
            index = _hops.Count;
            _hopIndex[(entry.Index, gateway)] = index;
            _hops.Add(new NextHop { Interface = entry, Gateway = gateway });
        }

        return index;
    }
}
