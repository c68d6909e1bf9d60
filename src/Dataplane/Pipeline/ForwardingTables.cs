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
using Dataplane.Tunnels;

namespace Dataplane.Pipeline;

/// <summary>Everything the stages look things up in: compiled by the control side, swapped in whole, never changed afterwards.</summary>
/// <remarks>What a worker writes inside (counters, the neighbour of a gateway, the cursor of a service) is that worker's alone: with several workers each has a
/// <see cref="WorkerView"/> of them.</remarks>
internal sealed record ForwardingTables
{
    /// <summary>Counts up from 1 with every compilation; flows remember it.</summary>
    public required int Version { get; init; }

    /// <summary>What the tables were compiled from.</summary>
    public required DataplaneSpec Spec { get; init; }

    /// <summary>Open ports by identifier; null for identifiers not in use.</summary>
    public required IPort?[] Ports { get; init; }

    /// <summary>Names of ports by identifier; empty for identifiers not in use.</summary>
    public string[] PortNames { get; init; } = [];

    public required L3Interface[] Interfaces { get; init; }

    public required InterfaceMap InterfaceMap { get; init; }

    public required OwnAddresses OwnAddresses { get; init; }

    /// <summary>Networks and their endpoints.</summary>
    public required BridgeTable Bridges { get; init; }

    /// <summary>Learning bridges.</summary>
    public required LearningTable Learning { get; init; }

    /// <summary>By identifier of a port: its number in the rules; those that no rule names share one.</summary>
    public required byte[] FilterPorts { get; init; }

    public required FilterProgram Filter { get; init; }

    public required ServiceTable Services { get; init; }

    /// <summary>Backends to services.</summary>
    public required ReturnTable Returns { get; init; }

    /// <summary>Source translation.</summary>
    public required NatTable Nat { get; init; }

    /// <summary>Name servers.</summary>
    public required NameServers Names { get; init; }

    /// <summary>Stands for the backend of flows that are only followed; null unless a rule of the filter asks for states.</summary>
    public BackendRuntime? Tracked { get; init; }

    /// <summary>Whether any packet may leave as one of the other family.</summary>
    public bool MayChangeFamily => Nat.HasNat64 || Siit is not null;

    /// <summary>Stateless translation between the families; null without.</summary>
    public SiitTable? Siit { get; init; }

    /// <summary>Whether anything depends on ports or flags, so that later fragments have to be given those of the first.</summary>
    public bool NeedsPorts => !Services.IsEmpty || !Nat.IsEmpty || Tracked is not null || Filter.LooksAtTransport;

    /// <summary>Whether TCP connections are followed from the middle on.</summary>
    public bool PicksUp => Spec.Filter.PickUp;

    /// <summary>Idle times of flows by backend slot.</summary>
    public required FlowTimeouts?[] TimeoutsBySlot { get; init; }

    /// <summary>Generation of each backend slot; a flow whose own is another has outlived its backend.</summary>
    public required uint[] BackendGenerations { get; init; }

    /// <summary>What becomes of flows at their next packet, by backend slot.</summary>
    public required BackendFate[] BackendFates { get; init; }

    /// <inheritdoc cref="BackendSlots.DirectAddresses"/>
    public IpAddress[] DirectAddresses { get; init; } = [];

    /// <inheritdoc cref="BackendSlots.Outers"/>
    public OuterHeader?[] Outers { get; init; } = [];

    /// <summary>Packets inside packets.</summary>
    public required TunnelTable Tunnels { get; init; }

    /// <summary>Slots whose flows are counted when these tables come into force.</summary>
    public int[] CountedSlots { get; init; } = [];

    /// <summary>Backends that have gone and whose flows are still there.</summary>
    public BackendSlots.Identity[] Departed { get; init; } = [];

    /// <summary>Counters by backend slot.</summary>
    public required BackendCounter[] BackendCounters { get; init; }

    /// <summary>Destinations to entries and next hops.</summary>
    public required CompiledRoutes Routes { get; init; }

    /// <inheritdoc cref="CompiledRoutes.Hops"/>
    public NextHop[] NextHops => Routes.Hops;

    /// <inheritdoc cref="CompiledRoutes.OnLinkHops"/>
    public int[] OnLinkHops => Routes.OnLinkHops;

    /// <summary>Which worker flows belong to; null when there is one worker, or no flow to own.</summary>
    public FlowOwners? Owners { get; init; }

    /// <summary>Neighbours of the configuration, with port identifiers resolved.</summary>
    public required (ushort Port, NeighbourSpec Neighbour)[] Neighbours { get; init; }

    /// <summary>Those of them that are never forgotten.</summary>
    public required HashSet<(ushort Port, ushort Vlan, IpAddress Address)> StaticNeighbours { get; init; }

    /// <summary>Tables of an engine that has not been started: everything is dropped.</summary>
    public static ForwardingTables Empty { get; } = TableCompiler.Compile(new DataplaneSpec(), PortSet.Empty, new BackendSlots(), null, [], new GracePeriods()).Tables;

    /// <summary>What a destination's route leads to, or null.</summary>
    public RouteEntry? Lookup(IpAddress destination) => Routes.Entries[Routes.Table.Lookup(destination)];

    /// <summary>Whether a direction of a flow is sent to its backend as it is.</summary>
    public bool IsDirect(in FlowEntry entry) => entry.IsPlain && entry.IsForward && (uint)entry.Backend < (uint)DirectAddresses.Length
        && !DirectAddresses[entry.Backend].IsNone;

    /// <summary>Where the packets of a flow are sent: to whom they are addressed when they leave, or to the backend whatever is in them.</summary>
    public IpAddress TargetOf(in FlowEntry entry) => IsDirect(in entry) ? DirectAddresses[entry.Backend] : entry.NewDestination;

    /// <summary>The outer header that packets of this direction of a flow leave in, or null.</summary>
    public OuterHeader? OuterOf(in FlowEntry entry) =>
        entry.IsPlain && entry.IsForward && (uint)entry.Backend < (uint)Outers.Length ? Outers[entry.Backend] : null;

    /// <summary>What becomes of a flow at its next packet.</summary>
    public BackendFate FateOf(int slot, uint generation) =>
        (uint)slot < (uint)BackendFates.Length && BackendGenerations[slot] == generation ? BackendFates[slot] : BackendFate.Move;

    /// <summary>Some address of the engine, for an interface that has none of the family.</summary>
    public IpAddress AnyAddress(bool isV4)
    {
        foreach (L3Interface entry in Interfaces)
        {
            IpAddress address = isV4 ? entry.V4 : entry.V6;
            if (!address.IsNone)
            {
                return address;
            }
        }

        return default;
    }
}
