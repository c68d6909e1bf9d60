using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Routing;

/// <summary>Numbers next hops while tables are compiled. Control side.</summary>
internal sealed class NextHopBook
{
    private readonly L3Interface[] _interfaces;
    private readonly PortSet _ports;
    private readonly List<NextHop> _hops = [];
    private Dictionary<IpAddress, L3Interface>? _endpoints;
    private readonly Dictionary<(string Port, ushort Vlan, IpAddress Gateway), int> _index = [];

    /// <summary>Begins with the next hops that stand there already, under their numbers.</summary>
    public NextHopBook(L3Interface[] interfaces, PortSet ports, ReadOnlySpan<NextHop> hops = default)
    {
        (_interfaces, _ports) = (interfaces, ports);
        foreach (NextHop hop in hops)
        {
            _index[hop.Identity] = _hops.Count;
            _hops.Add(hop);
        }

        OnLink = [.. interfaces.Select(entry => IndexOf(entry, default))];
    }

    /// <summary>By interface: the next hop that reaches neighbours on its link directly.</summary>
    public int[] OnLink { get; }

    /// <summary>All next hops so far.</summary>
    public NextHop[] All => [.. _hops];

    /// <summary>The number of a next hop of another book, -1 when this one has none like it.</summary>
    public int Find(NextHop other) => _index.GetValueOrDefault(other.Identity, -1);

    /// <summary>The group that a route's next hops are.</summary>
    public GroupMember[] Members(IReadOnlyList<NextHopSpec> via) =>
        [.. via.Select(hop => (Hop: IndexOf(InterfaceFor(hop), hop.Address ?? default), hop.Weight))
            .GroupBy(hop => hop.Hop).Select(same => new GroupMember(same.Key, same.Sum(hop => hop.Weight)))];

    private L3Interface InterfaceFor(NextHopSpec hop)
    {
        if (hop.Port.Length > 0)
        {
            int port = _ports.IdOf(hop.Port);
            return _interfaces.First(entry => entry.Port == port && entry.Vlan == hop.Vlan);
        }

        // The longest connected prefix that holds the gateway.
        IpAddress gateway = hop.Address!.Value;
        return InterfaceOfEndpoint(gateway) ?? _interfaces.Where(entry => entry.Station is null).MaxBy(entry => entry.Addresses.Where(prefix => prefix.Contains(gateway)).Select(prefix => prefix.Length).DefaultIfEmpty(-1).Max())!;
    }

    private L3Interface? InterfaceOfEndpoint(IpAddress gateway)
    {
        if (_endpoints is null)
        {
            _endpoints = [];
            foreach (L3Interface entry in _interfaces)
            {
                foreach (IpAddress address in entry.Station?.Spec.Addresses ?? [])
                {
                    _endpoints[address] = entry;
                }
            }
        }

        return _endpoints.GetValueOrDefault(gateway);
    }

    private int IndexOf(L3Interface entry, IpAddress gateway)
    {
        var hop = new NextHop { Interface = entry, Gateway = gateway };
        if (!_index.TryGetValue(hop.Identity, out int index))
        {
            index = _hops.Count;
            _index[hop.Identity] = index;
            _hops.Add(hop);
        }

        return index;
    }
}
