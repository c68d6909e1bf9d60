using Dataplane.Packets;

namespace Dataplane.Nat;

/// <summary>Source address translation: what comes from inside and leaves towards the outside seems to come from an address of the gateway.</summary>
/// <remarks>
/// <para>TCP, UDP and ICMP echo of IPv4 (NAT44, RFC 3022) and IPv6 (NAT66). What the outside sends back is translated to whom it belongs; ICMP errors about a
/// translated flow are translated with the packet they quote (RFC 5508). The source port is kept where it is free; else another of the same
/// parity and range (below 1024, or from 1024 on) is taken (RFC 4787 REQ-3 and 4). A port is taken for one remote address and port only: an
/// address carries up to 65,535 flows to <em>each</em> of them; when 64 ports were tried in vain, the packet is dropped as <c>no_free_port</c>. An inside host keeps the same pool address for all its flows (RFC 4787 REQ-2).</para>
/// <para>Other protocols, and what an IPv6 routing header leads elsewhere, are not let out untranslated: they are dropped as <c>nat_unsupported</c>. Fragments
/// are translated as the first of their datagram.</para>
/// <para>On request a port is mapped for an inside address and port alone, towards everybody, and others may send to it by the rule's filtering; inside hosts reach each other
/// by their mapped ports (RFC 4787 REQ-1, 8 and 9; RFC 5382 REQ-1, 3 and 8). Such a mapping lives as long as a flow that uses it.</para>
/// </remarks>
public sealed record NatSpec
{
    /// <summary>Name of the port that the inside is behind.</summary>
    public required string Inside { get; init; }

    /// <summary>Name of the port that leads outside.</summary>
    public required string Outside { get; init; }

    /// <summary>Only sources in this prefix are translated; null: all, of both families.</summary>
    public IpPrefix? From { get; init; }

    /// <summary>
    /// NAT64 (RFC 6146): IPv6 packets of the inside to an address behind this prefix go, as IPv4 packets, to the IPv4 address that is embedded there (RFC 6052), and seem to come from an
    /// IPv4 address of the pool; null: the rule translates within each family. 32, 40, 48, 56, 64 or 96 bits; behind 64:ff9b::/96 only addresses of the whole internet are reached
    /// (RFC 6052 3.1).
    /// </summary>
    public IpPrefix? Nat64 { get; init; }

    /// <summary>
    /// Addresses to take, of either family; a family without one is not translated. Empty: the first address that the outside port's
    /// interface has in each family (masquerade). The engine answers ARP and neighbour discovery for those in a connected prefix.
    /// </summary>
    public IReadOnlyList<IpAddress> Pool { get; init; } = [];

    /// <summary>
    /// Whether the one address of the pool stands for the one source (static, one to one): what comes to it from anywhere goes to that host, ports as they are. Needs a
    /// source prefix of one address, and a pool of one address of its family.
    /// </summary>
    public bool Static { get; init; }

    /// <summary>What outside ports depend on. An address that sources are translated to has ports of one kind only: rules that share one agree.</summary>
    public NatMapping Mapping { get; init; }

    /// <summary>Who may send to a mapped port; anything but <see cref="NatFiltering.AddressAndPortDependent"/> needs <see cref="NatMapping.EndpointIndependent"/>.</summary>
    public NatFiltering Filtering { get; init; }

    /// <summary>Whether what comes from outside keeps a mapping alive too (RFC 4787 REQ-6b); else only what the inside sends does. Needs
    /// <see cref="NatMapping.EndpointIndependent"/>.</summary>
    public bool RefreshInbound { get; init; }

    /// <summary>How long flows may be idle.</summary>
    public NatTimeouts Timeouts { get; init; } = new();
}
