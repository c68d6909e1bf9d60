using Dataplane.Nat;
using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>The counters of one address that sources are translated to.</summary>
/// <param name="Inside">Port that the inside is behind.</param>
/// <param name="Outside">Port that leads outside.</param>
/// <param name="From">Which sources, null for all.</param>
/// <param name="Address">What they become.</param>
/// <param name="Flows">Flows begun.</param>
/// <param name="Packets">Packets, both ways.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record NatStatus(string Inside, string Outside, IpPrefix? From, IpAddress Address, long Flows, long Packets, long Bytes)
{
    /// <summary>What its ports depend on.</summary>
    public NatMapping Mapping { get; init; }

    /// <summary>Who may send to a mapped port.</summary>
    public NatFiltering Filtering { get; init; }

    /// <summary>Ports mapped towards everybody now.</summary>
    public long Mappings { get; init; }
}
