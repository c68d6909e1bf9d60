using Dataplane.Packets;

namespace Dataplane.Switching;

/// <summary>Who is attached to a network by a port of its own: a container, as a rule, by a TAP device in its namespace.</summary>
public sealed record EndpointSpec
{
    /// <summary>Name, unique in its network: 1 to 32 letters, digits, <c>-</c>, <c>_</c> or <c>.</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Name of the port, which belongs to this endpoint alone and has no interface.</summary>
    public required string Port { get; init; }

    /// <summary>The endpoint's hardware address: the only one its frames may come from.</summary>
    public required MacAddress Mac { get; init; }

    /// <summary>The endpoint's addresses, in subnets of the network; its packets may come from these and from the link-local address that belongs to <see cref="Mac"/>.</summary>
    public IReadOnlyList<IpAddress> Addresses { get; init; } = [];

    /// <summary>How much it may send and receive; null: as much as there is.</summary>
    public RateSpec? Rate { get; init; }
}
