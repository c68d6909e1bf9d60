using Dataplane.Packets;

namespace Dataplane.Overlays;

/// <summary>How a network goes on behind other hosts: by VXLAN (RFC 7348) or by streams, to peers and endpoints that are listed.</summary>
/// <remarks>One of the two: <see cref="Local"/> and <see cref="Peers"/>, or <see cref="Links"/>. Nothing is flooded and nothing learnt: what this does not list is not there. VXLAN neither encrypts nor authenticates, so whoever can send from a peer's address is
/// that peer. Where the network between the hosts is not trusted, links by stream ports with TLS take its place: a peer is then who its certificate says.</remarks>
public sealed record OverlaySpec
{
    /// <summary>Name of a port of kind <c>vxlan</c>, which belongs to this network alone and has no interface.</summary>
    public required string Port { get; init; }

    /// <summary>VXLAN network identifier, 1 to 16,777,215; unique among the overlays of one address and UDP port, and among those by links.</summary>
    public required int Vni { get; init; }

    /// <summary>The engine's end of the tunnels: an address of one of its interfaces. None with <see cref="Links"/>.</summary>
    public IpAddress Local { get; init; }

    /// <summary>UDP port that both ends listen at, 1 to 65,535.</summary>
    public int UdpPort { get; init; } = 4789;

    /// <summary>The other ends of the tunnels, of the family of <see cref="Local"/>; 1,024 at most.</summary>
    public IReadOnlyList<IpAddress> Peers { get; init; } = [];

    /// <summary>A port for each other host, in place of tunnels; 1,024 at most.</summary>
    public IReadOnlyList<OverlayLinkSpec> Links { get; init; } = [];

    /// <summary>How much longer a packet is on its way to a peer than the layer 3 packet inside, in bytes: 50 over IPv4, 70 over IPv6.</summary>
    /// <param name="local">This end of the tunnels.</param>
    public static int OverheadBytes(IpAddress local) => Vxlan.OverheadBytes(local) + Vxlan.LinkBytes;

    /// <summary>Who is attached at the peers.</summary>
    public IReadOnlyList<RemoteEndpointSpec> Endpoints { get; init; } = [];
}
