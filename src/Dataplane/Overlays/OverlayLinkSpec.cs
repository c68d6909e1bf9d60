using Dataplane.Packets;

namespace Dataplane.Overlays;

/// <summary>The port that leads to one other host: frames travel in it whole, each behind the network's identifier.</summary>
public sealed record OverlayLinkSpec
{
    /// <summary>What <see cref="RemoteEndpointSpec.Peer"/> calls the host by: an address of it, unique among the links of the network. Nothing is sent to it.</summary>
    public required IpAddress Peer { get; init; }

    /// <summary>Name of a port of kind <c>stream</c> without interface. Networks may share it, and endpoints have none of it.</summary>
    public required string Port { get; init; }
}
