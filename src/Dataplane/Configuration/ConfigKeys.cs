using Dataplane.Ports;

namespace Dataplane.Configuration;

/// <summary>Every key the reader knows. docs/CONFIGURATION.md describes each; a test compares the two.</summary>
internal static class ConfigKeys
{
    public static readonly KeyTable Top = new("a configuration",
        "ports", "interfaces", "neighbours", "routes", "filter", "nat", "siit", "services", "encapsulation", "networks", "bridges", "mesh", "workers", "capture");

    /// <summary>Keys of the format that this version has no code for: they are refused unless empty, never passed over.</summary>
    public static readonly string[] NotImplemented = ["capture"];

    public static readonly KeyTable Port = new("a port",
        "kind", "interface", "input", "output", "socket", "endpoint", "id", "role", "tls", "mac", "mtu", "worker", "queues", "take", "leave", "offload", "netns", "fd", "ring");

    public static readonly KeyTable Traffic = new("a traffic rule", "to", "protocol", "to_port");

    public static readonly KeyTable Tls = new("a tls section", "certificate", "key", "ca", "peer");

    public static readonly KeyTable Interface = new("an interface", "port", "address", "mac", "vlan");

    public static readonly KeyTable Neighbour = new("a neighbour", "port", "address", "mac", "learned", "vlan");

    public static readonly KeyTable Route = new("a route", "to", "via", "reject");

    public static readonly KeyTable NextHop = new("a next hop", "address", "port", "vlan", "weight");

    public static readonly KeyTable Filter = new("a filter", "default", "pick_up", "timeouts", "rules");

    public static readonly KeyTable FilterRule = new("a filter rule",
        "name", "action", "from", "to", "protocol", "from_port", "to_port", "tcp_flags", "state", "port");

    public static readonly KeyTable Nat = new("a NAT rule", "inside", "outside", "from", "nat64", "pool", "static", "mapping", "filtering", "refresh_inbound", "timeouts");

    public static readonly KeyTable Siit = new("a siit section", "prefix", "mappings", "router_addresses", "drop_udp_without_checksum");

    public static readonly KeyTable SiitMapping = new("an address mapping", "v4", "v6", "hosts");

    public static readonly KeyTable NatTimeouts = new("a set of timeouts", "udp", "tcp_established", "tcp_transitory", "tcp_closing", "icmp");

    public static readonly KeyTable Service = new("a service",
        "name", "address", "port", "protocol", "balance", "hash", "hash_seed", "max_load", "forward", "table_size", "affinity", "timeouts", "on_remove", "no_backend", "steer", "quic", "health", "backends");

    public static readonly KeyTable Steer = new("a steering rule", "from", "to");

    public static readonly KeyTable Quic = new("a quic section", "connection_ids", "configs");

    public static readonly KeyTable QuicLb = new("a configuration of QUIC-LB", "id", "server_id_length", "nonce_length", "key", "encodes_length");

    public static readonly KeyTable Health = new("a health section", "check", "port", "source", "path", "host", "status", "send", "interval", "timeout",
        "rise", "fall", "slow_start", "panic", "passive", "hold");

    public static readonly KeyTable Backend = new("a backend", "address", "port", "weight", "group", "server_id", "drain", "drain_deadline");

    public static readonly KeyTable Encapsulation = new("an encapsulation section", "sources", "gue_port", "decapsulate");

    public static readonly KeyTable Decapsulation = new("an address that takes packets out", "address", "kinds", "from");

    public static readonly KeyTable Network = new("a network",
        "name", "subnets", "gateways", "mac", "mtu", "internal", "isolate", "reach", "dns", "search", "router_advertisements", "dhcp", "endpoints", "overlay");

    public static readonly KeyTable RouterAdvertisements = new("router advertisements", "interval", "lifetime", "managed", "other", "autonomous");

    public static readonly KeyTable Dhcp = new("a dhcp section", "lease", "routes");

    public static readonly KeyTable DhcpRoute = new("a route told by DHCP", "to", "via");

    public static readonly KeyTable Endpoint = new("an endpoint", "name", "port", "mac", "addresses", "rate");

    public static readonly KeyTable Overlay = new("an overlay", "port", "vni", "local", "udp_port", "peers", "links", "endpoints");

    public static readonly KeyTable OverlayLink = new("a link of an overlay", "peer", "port");

    public static readonly KeyTable RemoteEndpoint = new("an endpoint elsewhere", "name", "mac", "addresses", "peer");

    public static readonly KeyTable Rate = new("a rate", "in", "in_burst", "out", "out_burst");

    public static readonly KeyTable Bridge = new("a bridge", "name", "ports", "entries", "ageing", "unknown", "broadcast", "multicast", "moves");

    public static readonly KeyTable BridgePort = new("a port of a bridge", "port", "isolate", "horizon", "hosts");

    public static readonly KeyTable Workers = new("a workers section",
        "count", "cpu", "pin", "spin", "flow_entries", "neighbour_entries", "seed", "icmp_errors_per_second");

    public static readonly KeyTable[] All =
    [
        Top, Port, Traffic, Tls, Interface, Neighbour, Route, NextHop, Filter, FilterRule, Nat, NatTimeouts, Siit, SiitMapping, Service, Steer, Quic, QuicLb, Health, Backend, Encapsulation, Decapsulation, Network, RouterAdvertisements, Dhcp, DhcpRoute, Endpoint,
        Overlay, OverlayLink, RemoteEndpoint, Rate, Bridge, BridgePort, Workers,
    ];

    /// <summary>The kinds of port that a key belongs to; null for keys of all kinds.</summary>
    public static PortKind[]? KindsOf(string portKey) => portKey switch
    {
        "interface" => [PortKind.AfPacket, PortKind.AfXdp, PortKind.Tap],
        "input" or "output" => [PortKind.Pcap],
        "socket" or "role" => [PortKind.Memif, PortKind.Stream],
        "id" => [PortKind.Memif],
        "endpoint" or "tls" => [PortKind.Stream],
        "take" or "leave" => [PortKind.AfXdp],
        "offload" => [PortKind.AfPacket, PortKind.AfXdp, PortKind.Tap],
        "queues" => [PortKind.AfPacket, PortKind.AfXdp, PortKind.Tap, PortKind.Memif],
        "netns" or "fd" => [PortKind.Tap],
        "ring" => [PortKind.AfPacket],
        _ => null,
    };

    /// <summary>The error of a key that the port's kind has no use for; null when it has.</summary>
    public static string? MisplacedPortKey(string portKey, PortKind kind)
    {
        if (KindsOf(portKey) is not { } kinds || kinds.Contains(kind))
        {
            return null;
        }

        string owners = WordList.Or(kinds.Select(owner => SpecNames.Kinds.NameOf(owner)!));
        return $"is of no use to kind {SpecNames.Kinds.NameOf(kind) ?? "unknown"}: it belongs to {owners}; remove it";
    }
}
