using Dataplane.Balancing;
using Dataplane.Bridging;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Routing.Lpm;
using Dataplane.Switching;
using Dataplane.Tracking;
using Dataplane.Tunnels;

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
    /// <param name="nowNs">Worker time.</param>
    public static CompiledTables Compile(DataplaneSpec spec, PortSet ports, BackendSlots slots, ForwardingTables? previous,
        IReadOnlyCollection<RouteSpec> learnt, GracePeriods periods, long nowNs = 0)
    {
        IpAddress[] served =
        [
            .. spec.Services.Where(service => service.IsOneAddress).Select(service => service.Address), .. spec.Nat.SelectMany(rule => rule.Pool), .. spec.Names.SelectMany(server => server.Addresses),
            .. TunnelTable.AddressesOf(spec.Encapsulation), .. SiitTable.AddressesOf(spec.Siit),
        ];
        List<L3Interface> made = CompileInterfaces(spec, ports, served);
        BridgeTable bridges = BridgeCompiler.Compile(spec, ports, served, made, previous?.Bridges);
        L3Interface[] interfaces = [.. made];
        ServiceRuntime[] services = CompileServices(spec, interfaces, slots, previous, nowNs, out ServiceCompiler compiler);
        var routes = new RouteCompiler(interfaces, ports);
        routes.AddInterfaces();
        routes.AddNetworks(spec.Networks);
        routes.AddRoutes(spec.Routes);
        routes.AddServed(served);
        NatTable nat = NatCompiler.Compile(spec.Nat, interfaces, ports, slots, bridges);
        BackendRuntime? tracked = Followed(spec).Select(identity => Tracked(identity, slots)).FirstOrDefault();
        (ushort Port, NeighbourSpec Neighbour)[] neighbours =
            [.. spec.Neighbours.Select(neighbour => ((ushort)ports.IdOf(neighbour.Port), neighbour)), .. bridges.Stations.Concat(bridges.Remotes).SelectMany(NeighboursOf)];
        byte[] filterPorts = FilterPortNumbers.Of(spec.Filter, ports);
        var tables = new ForwardingTables
        {
            Tracked = tracked,
            TimeoutsBySlot = Timeouts(slots, nat, tracked, spec.Filter),
            Version = (previous?.Version ?? 0) + 1,
            Spec = spec,
            Ports = ports.ById,
            PortNames = ports.NamesById,
            Interfaces = interfaces,
            InterfaceMap = new InterfaceMap(interfaces),
            OwnAddresses = new OwnAddresses(
                [
                    .. interfaces.Where(entry => entry.Station is null).SelectMany(entry => entry.Addresses).Select(prefix => prefix.Address),
                    .. spec.Networks.SelectMany(BridgeCompiler.AddressesOf).Select(prefix => prefix.Address),
                    .. served.Except(spec.Services.Where(service => service.Forward != ForwardMode.Nat).Select(service => service.Address)),
                ],
                [.. bridges.Stations.Concat(bridges.Remotes).SelectMany(station => station.Addresses)]),
            Bridges = bridges,
            Learning = LearningTable.Compile(spec.Bridges, ports, previous?.Learning, nowNs),
            FilterPorts = filterPorts,
            Filter = FilterProgram.Compile(spec.Filter, name => filterPorts[ports.IdOf(name)], previous?.Filter),
            Services = new ServiceTable(services, previous?.Services),
            Returns = previous is not null && compiler.HasSameBackends ? previous.Returns : new ReturnTable(services),
            Nat = nat,
            Siit = SiitTable.Compile(spec.Siit),
            Tunnels = TunnelTable.Compile(spec.Encapsulation, previous?.Tunnels),
            Names = NameServers.Compile(spec.Names, previous?.Names),
            BackendGenerations = slots.Generations,
            BackendFates = slots.Fates,
            DirectAddresses = slots.DirectAddresses,
            Outers = slots.Outers,
            BackendCounters = slots.Counters,
            CountedSlots = CountedSlots(slots, compiler),
            Departed = [.. slots.Departed.Select(slot => slot.Identity)],
            Routes = routes.Compile(learnt, previous?.Routes, periods),
            Neighbours = neighbours,
            StaticNeighbours = [.. neighbours.Where(entry => !entry.Neighbour.Learned).Select(entry => (entry.Port, (ushort)entry.Neighbour.Vlan, entry.Neighbour.Address))],
        };
        return new CompiledTables(tables, compiler.Changes, compiler.Shifts, compiler.NextDueNs, compiler.Compiled);
    }

    private static BackendRuntime Tracked(BackendSlots.Identity identity, BackendSlots slots)
    {
        BackendSlot slot = slots.Acquire(identity);
        return new BackendRuntime { Slot = slot.Number, Generation = slot.Generation, Counter = slot.Counter, Address = default, Port = 0, Weight = 1 };
    }

    private static FlowTimeouts?[] Timeouts(BackendSlots slots, NatTable nat, BackendRuntime? tracked, FilterSpec filter)
    {
        // A slot is a service's, a translation's, or that of what is only followed.
        FlowTimeouts?[] own = nat.TimeoutsBySlot, ofServices = slots.Timeouts;
        if (tracked is null && ofServices.Length == 0)
        {
            return own;
        }

        var timeouts = new FlowTimeouts?[Math.Max(Math.Max(own.Length, ofServices.Length), (tracked?.Slot ?? -1) + 1)];
        ofServices.CopyTo(timeouts, 0);
        for (int slot = 0; slot < own.Length; slot++)
        {
            timeouts[slot] = own[slot] ?? timeouts[slot];
        }

        if (tracked is not null)
        {
            timeouts[tracked.Slot] = FlowTimeouts.Of(filter.Timeouts);
        }

        return timeouts;
    }

    /// <summary>Compiles the services of tables in force again, since something is known of their backends that was not before, or they are others; all else stays.</summary>
    /// <param name="spec">The specification, of which everything but services and zones is that of the tables in force (<see cref="Configuration.ServiceDifferences"/>).</param>
    /// <param name="previous">The tables in force.</param>
    /// <param name="slots">Backend numbers.</param>
    /// <param name="nowNs">Worker time.</param>
    public static CompiledTables Recompile(DataplaneSpec spec, ForwardingTables previous, BackendSlots slots, long nowNs)
    {
        ServiceRuntime[] services = CompileServices(spec, previous.Interfaces, slots, previous, nowNs, out ServiceCompiler compiler);
        var table = new ServiceTable(services, previous.Services);
        BackendSlots.Identity[] departed = [.. slots.Departed.Select(slot => slot.Identity)];

        // Whose a flow is depends on where services and backends are found, and on nothing else of them.
        bool hasSameOwners = compiler.HasSameBackends && table.HasPlacesOf(previous.Services) && departed.AsSpan().SequenceEqual(previous.Departed);
        ForwardingTables tables = previous with
        {
            Version = previous.Version + 1,
            Spec = spec,
            Services = table,
            Names = ReferenceEquals(spec.Names, previous.Spec.Names) ? previous.Names : NameServers.Compile(spec.Names, previous.Names),
            Returns = compiler.HasSameBackends ? previous.Returns : new ReturnTable(services),
            BackendGenerations = slots.Generations,
            BackendFates = slots.Fates,
            DirectAddresses = slots.DirectAddresses,
            Outers = slots.Outers,
            TimeoutsBySlot = slots.HasTimeouts ? Timeouts(slots, previous.Nat, previous.Tracked, spec.Filter) : previous.TimeoutsBySlot,
            BackendCounters = slots.Counters,
            CountedSlots = CountedSlots(slots, compiler),
            Departed = departed,
            Owners = hasSameOwners ? previous.Owners : null,
        };
        return new CompiledTables(tables, compiler.Changes, compiler.Shifts, compiler.NextDueNs, compiler.Compiled);
    }

    /// <summary>Finds out what another configuration would mean for the services and their flows, on copies.</summary>
    /// <param name="spec">The configuration.</param>
    /// <param name="slots">A copy.</param>
    /// <param name="previous">The tables in force.</param>
    /// <param name="nowNs">Worker time.</param>
    /// <param name="counted">Slots whose flows are to be counted.</param>
    public static ServiceCompiler Preview(DataplaneSpec spec, BackendSlots slots, ForwardingTables previous, long nowNs, out int[] counted)
    {
        CompileServices(spec, AddressesOf(spec), slots, previous, nowNs, out ServiceCompiler compiler);
        counted = CountedSlots(slots, compiler);
        return compiler;
    }

    private static ServiceRuntime[] CompileServices(DataplaneSpec spec, L3Interface[] interfaces, BackendSlots slots, ForwardingTables? previous, long nowNs,
        out ServiceCompiler compiler)
    {
        slots.Reclaim();
        compiler = new ServiceCompiler(slots, spec.Encapsulation, previous, nowNs);
        ServiceRuntime[] services = compiler.Compile(spec.Services);
        HashSet<BackendSlots.Identity> used = [.. Followed(spec), .. compiler.Needed, .. NatCompiler.Identities(spec.Nat, interfaces)];
        compiler.Depart(slots.Depart(compiler.Candidates, used));
        return services;
    }

    /// <summary>The slot of flows that are only followed, if rules ask for their states.</summary>
    private static IEnumerable<BackendSlots.Identity> Followed(DataplaneSpec spec) =>
        spec.Filter.Rules.Any(rule => rule.State != ConnectionStates.None) ? [BackendSlots.Connections] : [];

    /// <summary>Those for which something has changed, and those whose flows are about to end anyway.</summary>
    private static int[] CountedSlots(BackendSlots slots, ServiceCompiler compiler) =>
        [.. compiler.Shifts.Select(shift => shift.Slot)
            .Concat(slots.Leaving.Select(slot => slot.Number)).Distinct()];

    /// <summary>The interfaces as far as they are known without their ports: names and addresses.</summary>
    private static L3Interface[] AddressesOf(DataplaneSpec spec) => [.. spec.Interfaces
        .GroupBy(entry => (entry.Port, entry.Vlan), entry => entry.Address)
        .Select(group => new L3Interface
        {
            Index = 0,
            Port = 0,
            PortName = group.Key.Port,
            Vlan = (ushort)group.Key.Vlan,
            Mac = default,
            Mtu = 0,
            Addresses = [.. group],
            V4 = FirstV4([.. group]),
            V6 = FirstV6([.. group]),
            LinkLocal = default,
            Answered = [],
        })];

    private static IpAddress FirstV4(IpPrefix[] addresses) => addresses.Select(prefix => prefix.Address).FirstOrDefault(address => address.IsIpv4);

    private static IpAddress FirstV6(IpPrefix[] addresses) =>
        addresses.Select(prefix => prefix.Address).FirstOrDefault(address => address.IsIpv6 && !address.IsLinkLocal);

    /// <summary>Endpoints need never be asked for their hardware address.</summary>
    private static IEnumerable<(ushort Port, NeighbourSpec Neighbour)> NeighboursOf(Station station) => station.Addresses.Select(address =>
        (station.Interface.Port, new NeighbourSpec { Port = station.Spec.Port, Address = address, Mac = station.Spec.Mac }));

    private static List<L3Interface> CompileInterfaces(DataplaneSpec spec, PortSet ports, IpAddress[] served)
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
            result.Add(new L3Interface
            {
                Index = (short)result.Count,
                Port = (ushort)id,
                PortName = group.Key.Port,
                Vlan = (ushort)group.Key.Vlan,
                Mac = mac,
                Mtu = port.Mtu,
                Addresses = addresses,
                V4 = FirstV4(configured),
                V6 = FirstV6(configured),
                LinkLocal = linkLocal,
                Answered = [.. addresses.Select(prefix => prefix.Address), .. served.Where(address => configured.Any(prefix => prefix.Contains(address)))],
            });
        }

        return result;
    }
}
