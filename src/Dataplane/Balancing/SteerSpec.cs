using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Has clients with addresses of a prefix go to some of a service's backends, while any of these takes new flows.</summary>
public sealed record SteerSpec
{
    /// <summary>The clients, of the service's address family. Of several that a client lies in, the longest counts.</summary>
    public required IpPrefix From { get; init; }

    /// <summary>Groups of backends (<see cref="BackendSpec.Group"/>), several divided by commas.</summary>
    public required string To { get; init; }
}
