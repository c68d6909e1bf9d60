using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing.Lpm;

namespace Dataplane.Routing;

/// <summary>Routes that came while running, from a routing protocol say. They stay when the configuration changes. Control side, one thread.</summary>
internal sealed class LearntRoutes
{
    private readonly Dictionary<IpPrefix, RouteSpec> _routes = [];

    /// <summary>Those that a configuration has an interface for, in no order.</summary>
    public IReadOnlyCollection<RouteSpec> ReachableBy(IReadOnlyList<InterfaceSpec> interfaces) =>
        [.. _routes.Values.Where(route => route.Via.All(hop => IsReachable(hop, interfaces)))];

    /// <summary>Notes routes that another process had learnt; the tables are compiled with them afterwards.</summary>
    public void Restore(IEnumerable<RouteSpec> routes)
    {
        foreach (RouteSpec route in routes)
        {
            _routes[route.To.Network] = route;
        }
    }

    /// <summary>Forgets the routes that a configuration leaves no way for.</summary>
    /// <returns>Their number.</returns>
    public int DropUnreachable(IReadOnlyList<InterfaceSpec> interfaces)
    {
        IpPrefix[] lost = [.. _routes.Where(route => !route.Value.Via.All(hop => IsReachable(hop, interfaces))).Select(route => route.Key)];
        foreach (IpPrefix prefix in lost)
        {
            _routes.Remove(prefix);
        }

        return lost.Length;
    }

    /// <summary>Works out what a change means for the tables in force, and notes the routes.</summary>
    /// <param name="routes">The routes in force; not changed.</param>
    /// <param name="interfaces">Their interfaces.</param>
    /// <param name="ports">The open ports.</param>
    /// <param name="withdraw">Prefixes to forget; unknown ones do not matter.</param>
    /// <param name="set">Valid routes to add or replace, after the others are gone.</param>
    public LearntChange Change(
        CompiledRoutes routes, L3Interface[] interfaces, PortSet ports, IReadOnlyList<IpPrefix> withdraw, IReadOnlyList<RouteSpec> set)
    {
        var hops = new NextHopBook(interfaces, ports, routes.Hops);
        var numbers = new EntryNumbers(routes);
        var wanted = new Dictionary<IpPrefix, int>();
        int shadowed = 0;
        foreach (IpPrefix prefix in withdraw)
        {
            if (_routes.Remove(prefix.Network) && !routes.Configured.Contains(prefix.Network))
            {
                wanted[prefix.Network] = RouteTable.NoMatch;
            }
        }

        foreach (RouteSpec route in set)
        {
            IpPrefix prefix = route.To.Network;
            _routes[prefix] = route;
            if (routes.Configured.Contains(prefix))
            {
                shadowed++;
            }
            else
            {
                RouteKind kind = RouteDraft.KindOf(route);
                wanted[prefix] = numbers.Of(new RouteDraft(kind, kind == RouteKind.Forward ? hops.Members(route.Via) : []));
            }
        }

        return Compare(routes, wanted, numbers, hops.All) with { Shadowed = shadowed };
    }

    private static LearntChange Compare(CompiledRoutes routes, Dictionary<IpPrefix, int> wanted, EntryNumbers numbers, NextHop[] hops)
    {
        int added = 0, replaced = 0, withdrawn = 0;
        var changes = new List<RouteChange>(wanted.Count);
        int[] uses = numbers.Uses();
        foreach ((IpPrefix prefix, int number) in wanted)
        {
            int before = routes.Table.Find(prefix);
            if (before == number)
            {
                continue;
            }

            changes.Add(new RouteChange(prefix, number));
            uses[before]--;
            uses[number]++;
            added += before == RouteTable.NoMatch ? 1 : 0;
            withdrawn += number == RouteTable.NoMatch ? 1 : 0;
            replaced += before != RouteTable.NoMatch && number != RouteTable.NoMatch ? 1 : 0;
        }

        return new LearntChange
        {
            Routes = routes with { Entries = numbers.Entries(), Uses = uses, Hops = hops },
            Changes = changes,
            HasNewEntries = numbers.HasNew,
            Added = added,
            Replaced = replaced,
            Withdrawn = withdrawn,
        };
    }

    private static bool IsReachable(NextHopSpec hop, IReadOnlyList<InterfaceSpec> interfaces) => hop.Port.Length > 0
        ? interfaces.Any(entry => entry.Port == hop.Port && entry.Vlan == hop.Vlan)
        : interfaces.Any(entry => entry.Address.Contains(hop.Address!.Value));

    /// <summary>Entries by what they say. A number that no route leads to is given to another entry: every worker has passed since the last did.</summary>
    private sealed class EntryNumbers
    {
        private readonly List<RouteEntry?> _entries;
        private readonly List<int> _uses;
        private readonly Dictionary<RouteDraft, int> _numbers = [];
        private readonly Queue<int> _free = [];

        public EntryNumbers(CompiledRoutes routes)
        {
            (_entries, _uses) = ([.. routes.Entries], [.. routes.Uses]);
            for (int number = 1; number < _entries.Count; number++)
            {
                if (_entries[number] is { } entry && _uses[number] > 0)
                {
                    _numbers.TryAdd(new RouteDraft(entry.Kind, entry.Members), number);
                }
                else
                {
                    _free.Enqueue(number);
                }
            }
        }

        public bool HasNew { get; private set; }

        public RouteEntry?[] Entries() => [.. _entries];

        public int[] Uses() => [.. _uses];

        public int Of(RouteDraft draft)
        {
            if (_numbers.TryGetValue(draft, out int number))
            {
                return number;
            }

            HasNew = true;
            if (!_free.TryDequeue(out number))
            {
                number = _entries.Count;
                _entries.Add(null);
                _uses.Add(0);
            }

            _entries[number] = draft.ToEntry(before: null, hop => hop);
            _numbers.Add(draft, number);
            return number;
        }
    }
}
