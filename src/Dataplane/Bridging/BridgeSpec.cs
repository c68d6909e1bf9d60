namespace Dataplane.Bridging;

/// <summary>A learning bridge: its ports are one Ethernet, and frames pass between them as they came (IEEE 802.1Q 8.8).</summary>
/// <remarks>
/// What is sent to a hardware address leaves by the port behind which that address was last seen; what is sent to a group, or to an address that nobody was seen under, leaves by all
/// the others, as often as is allowed. Nothing on a bridge is filtered by rules, translated or routed: its ports have no interface of the engine and no endpoint. VLAN tags are carried,
/// and addresses are learnt for each VLAN by itself. There is no spanning tree: where ports are joined elsewhere in a circle, what is flooded goes round as fast as the limits allow.
/// </remarks>
public sealed record BridgeSpec
{
    /// <summary>Name, unique among bridges: 1 to 32 letters, digits, <c>-</c>, <c>_</c> or <c>.</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Its ports, two at least; each belongs to this bridge alone.</summary>
    public IReadOnlyList<BridgePortSpec> Ports { get; init; } = [];

    /// <summary>Addresses that are remembered, 64 to 262,144; rounded up to a power of two.</summary>
    public int Entries { get; init; } = 8192;

    /// <summary>After how long without a frame of it an address is forgotten, whole seconds, 10 s to a day (IEEE 802.1Q 8.8.3).</summary>
    public TimeSpan Ageing { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Frames to unknown addresses that are flooded in a second for each port they come by, and at once at most; 0: none. To 1,000,000.</summary>
    public int Unknown { get; init; } = 1000;

    /// <summary>The same for broadcasts.</summary>
    public int Broadcast { get; init; } = 1000;

    /// <summary>The same for frames to groups.</summary>
    public int Multicast { get; init; } = 1000;

    /// <summary>Addresses that may come to a port from another in a second, and at once at most; 0: an address stays where it is until it is forgotten. To 1,000,000.</summary>
    public int Moves { get; init; } = 10;
}
