using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Routing.Lpm;
using Dataplane.Tracking;

namespace Dataplane.Pipeline;

/// <summary>Compiles a valid specification into the tables the stages use. Control side: allocates.</summary>
internal static class TableCompiler
{
    /// <summary>Compiles.</summary>
    /// <param name="spec">A specification without errors.</param>
    /// <param name="ports">The open ports.</param>
    /// <param name="slots">Backend numbers, which outlive the tables.</param>
    /// <param name="previous">The tables in force, from which counters, cursors and Maglev slots are carried over; null at the start.</param>
    /// <param name="learnt">Routes learnt while running.</param>
    /// <param name="periods">Where the worker says that it has passed between two batches.</param>
    public static CompiledTables Compile(DataplaneSpec spec, PortSet ports, BackendSlots slots, ForwardingTables? previous,
        IReadOnlyCollection<RouteSpec> learnt, GracePeriods periods)
    {
        L3Interface[] interfaces = CompileInterfaces(spec, ports);
        bool tracks = spec.Filter.Rules.Any(rule => rule.State != ConnectionStates.None);
        BackendSlots.Identity[] followed = tracks ? [new(default, 0, 0, default, 0, "connections")] : [];
        HashSet<BackendSlots.Identity> used = [.. followed, .. ServiceCompiler.Identities(spec.Services), .. NatCompiler.Identities(spec.Nat, interfaces)];
        slots.ReleaseAllBut(used);
        (ServiceRuntime[] services, ServiceChange[] changes) = ServiceCompiler.Compile(spec.Services, slots, previous);
        var routes = new RouteCompiler(interfaces, ports);
        routes.AddInterfaces();
        routes.AddRoutes(spec.Routes);
        IpAddress[] served = [.. spec.Services.Select(service => service.Address), .. spec.Nat.SelectMany(rule => rule.Pool), .. NameAddresses(spec, interfaces)];
        routes.AddServed(served);
        NatTable nat = NatCompiler.Compile(spec.Nat, interfaces, ports, slots);
        BackendRuntime? tracked = followed.Select(identity => Tracked(identity, slots)).FirstOrDefault();
        var tables = new ForwardingTables
        {
            Tracked = tracked,
            TimeoutsBySlot = Timeouts(nat, tracked, spec.Filter),
            Version = (previous?.Version ?? 0) + 1,
            Spec = spec,
            Ports = ports.ById,
            Interfaces = interfaces,
            InterfaceMap = new InterfaceMap(interfaces),
            OwnAddresses = new OwnAddresses([.. interfaces.SelectMany(entry => entry.Addresses).Select(prefix => prefix.Address), .. served]),
            Filter = FilterProgram.Compile(spec.Filter, name => ports.IdOf(name), previous?.Filter),
            Services = new ServiceTable(services),
            Nat = nat,
            Names = NameServers.Compile(spec.Names, previous?.Names),
            BackendGenerations = slots.Generations,
            BackendCounters = slots.Counters,
            Routes = routes.Compile(learnt, previous?.Routes, periods),
            Neighbours = [.. spec.Neighbours.Select(neighbour => ((byte)ports.IdOf(neighbour.Port), neighbour))],
        };
        return new CompiledTables(tables, changes);
    }

    /// <summary>Addresses of name servers that no interface has.</summary>
    private static IEnumerable<IpAddress> NameAddresses(DataplaneSpec spec, L3Interface[] interfaces) =>
        spec.Names.SelectMany(server => server.Addresses).Where(address => !interfaces.Any(entry => entry.Addresses.Any(own => own.Address == address)));

    private static BackendRuntime Tracked(BackendSlots.Identity identity, BackendSlots slots)
    {
        (int slot, uint generation, BackendCounter counter) = slots.Acquire(identity);
        return new BackendRuntime { Slot = slot, Generation = generation, Counter = counter, Address = default, Port = 0, Weight = 1 };
    }

    private static FlowTimeouts?[] Timeouts(NatTable nat, BackendRuntime? tracked, FilterSpec filter)
    {
        if (tracked is null)
        {
            return nat.TimeoutsBySlot;
        }

        var timeouts = new FlowTimeouts?[Math.Max(nat.TimeoutsBySlot.Length, tracked.Slot + 1)];
        nat.TimeoutsBySlot.CopyTo(timeouts, 0);
        timeouts[tracked.Slot] = FlowTimeouts.Of(filter.Timeouts);
        return timeouts;
    }

    private static L3Interface[] CompileInterfaces(DataplaneSpec spec, PortSet ports)
    {
        var result = new List<L3Interface>();
        foreach (IGrouping<(string Port, int Vlan), InterfaceSpec> group in spec.Interfaces.GroupBy(entry => (entry.Port, entry.Vlan)))
        {
            int id = ports.IdOf(group.Key.Port);
            IPort port = ports.ById[id]!;
            MacAddress mac = group.Select(entry => entry.Mac).FirstOrDefault(own => own is not null) ?? port.Mac;
            IpPrefix[] configured = [.. group.Select(entry => entry.Address)];
            IpAddress linkLocal = configured.Any(prefix => prefix.Address.IsIpv6) ? L3Interface.LinkLocalOf(mac) : default;
            IpPrefix[] addresses = linkLocal.IsNone || configured.Any(prefix => prefix.Address == linkLocal)
                ? configured
                : [.. configured, new IpPrefix(linkLocal, 64)];
            IEnumerable<IpAddress> served = spec.Services.Select(service => service.Address).Concat(spec.Nat.SelectMany(rule => rule.Pool)).Concat(spec.Names.SelectMany(server => server.Addresses))
                .Where(address => configured.Any(prefix => prefix.Contains(address)));
            result.Add(new L3Interface
            {
                Index = (short)result.Count,
                Port = (byte)id,
                PortName = group.Key.Port,
                Vlan = (ushort)group.Key.Vlan,
                Mac = mac,
                Mtu = port.Mtu,
                Addresses = addresses,
                V4 = configured.Select(prefix => prefix.Address).FirstOrDefault(address => address.IsIpv4),
                V6 = configured.Select(prefix => prefix.Address).FirstOrDefault(address => address.IsIpv6 && !address.IsLinkLocal),
                LinkLocal = linkLocal,
                Answered = [.. addresses.Select(prefix => prefix.Address), .. served],
            });
        }

        return [.. result];
    }
}
