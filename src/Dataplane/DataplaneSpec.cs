using Dataplane.Balancing;
using Dataplane.Bridging;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Nat64;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;
using Dataplane.Tunnels;

namespace Dataplane;

/// <summary>The whole configuration of an engine as plain values: what files, hosts and the builder produce, and tables are compiled from.</summary>
/// <remarks>Immutable; a changed copy is made by <c>with</c>. Nothing is checked here: see <see cref="Configuration.SpecValidator"/>.</remarks>
public sealed record DataplaneSpec
{
    /// <summary>The ports, in the order that gives them their identifiers.</summary>
    public IReadOnlyList<PortSpec> Ports { get; init; } = [];

    /// <summary>Addresses of the engine on its ports.</summary>
    public IReadOnlyList<InterfaceSpec> Interfaces { get; init; } = [];

    /// <summary>Neighbours known beforehand.</summary>
    public IReadOnlyList<NeighbourSpec> Neighbours { get; init; } = [];

    /// <summary>Static routes.</summary>
    public IReadOnlyList<RouteSpec> Routes { get; init; } = [];

    /// <summary>Filter rules and the default policy.</summary>
    public FilterSpec Filter { get; init; } = new();

    /// <summary>Source address translation, first match by order.</summary>
    public IReadOnlyList<NatSpec> Nat { get; init; } = [];

    /// <summary>Stateless translation between the families; null without.</summary>
    public SiitSpec? Siit { get; init; }

    /// <summary>Balanced services.</summary>
    public IReadOnlyList<ServiceSpec> Services { get; init; } = [];

    /// <summary>Packets inside packets: sources of outer headers, and where such packets are taken out.</summary>
    public EncapsulationSpec Encapsulation { get; init; } = new();

    /// <summary>Networks of endpoints.</summary>
    public IReadOnlyList<NetworkSpec> Networks { get; init; } = [];

    /// <summary>Learning bridges between ports.</summary>
    public IReadOnlyList<BridgeSpec> Bridges { get; init; } = [];

    /// <summary>Name servers on the packet path.</summary>
    public IReadOnlyList<NameServerSpec> Names { get; init; } = [];

    /// <summary>The section <c>mesh</c> as it stands in the configuration; null without one. The engine does not read it, and refuses what still
    /// has it: Dataplane.Mesh puts services and name servers in its place.</summary>
    public ConfigNode? Mesh { get; init; }

    /// <summary>Worker settings and table sizes.</summary>
    public WorkerSpec Workers { get; init; } = new();
}
