using Dataplane.Configuration;
using Dataplane.Mesh.Authorization;

namespace Dataplane.Mesh.Relay;

/// <summary>Every key of a relay's file, and the words they take. docs/MESH.md describes each; a test compares the two.</summary>
internal static class RelayKeys
{
    internal static readonly KeyTable Top = new("a relay", "identity", "mesh", "listeners", "authorization", "limits", "hand_over");

    internal static readonly KeyTable Identity = new("an identity", "certificate", "key", "bundles");

    internal static readonly KeyTable Mesh = new("a mesh section of a relay", "file", "outbound", "inbound", "application");

    internal static readonly KeyTable Listener = new("a listener", "name", "kind", "listen", "original", "proxy_from", "certificates", "tls12", "alpn",
        "routes", "to", "balance", "connect", "peer", "server_name", "ca", "send_proxy");

    internal static readonly KeyTable Route = new("a route", "name", "server_names", "destinations", "ports",
        "to", "balance", "connect", "peer", "server_name", "ca", "send_proxy");

    internal static readonly KeyTable Endpoint = new("an endpoint", "address", "weight");

    internal static readonly KeyTable Certificate = new("a certificate", "certificate", "key", "names");

    internal static readonly KeyTable Authorization = new("an authorization section", "default", "policies");

    internal static readonly KeyTable Policy = new("a policy", "name", "action", "dry_run", "listeners", "identities", "namespaces", "addresses", "methods",
        "server_names", "destinations", "ports");

    internal static readonly KeyTable Limits = new("a limits section", "connections", "connections_per_source", "handshake_timeout", "connect_timeout",
        "idle_timeout", "drain_timeout", "eject_after", "eject_for");

    /// <summary>All keys, each once.</summary>
    internal static readonly string[] All =
        [.. new[] { Top, Identity, Mesh, Listener, Route, Endpoint, Certificate, Authorization, Policy, Limits }.SelectMany(table => table.Keys).Distinct()];

    internal static readonly NameTable<ListenerKind> Kinds = new(("outbound", ListenerKind.Outbound), ("inbound", ListenerKind.Inbound),
        ("edge", ListenerKind.Edge), ("passthrough", ListenerKind.Passthrough));

    internal static readonly NameTable<UpstreamKind> Connects = new(("plain", UpstreamKind.Plain), ("mutual", UpstreamKind.Mutual), ("tls", UpstreamKind.Tls));

    internal static readonly NameTable<EndpointBalance> Balances = new(("round_robin", EndpointBalance.RoundRobin),
        ("least_connections", EndpointBalance.LeastConnections));

    internal static readonly NameTable<OriginalDestination> Originals = new(("redirect", OriginalDestination.Redirect), ("proxy", OriginalDestination.Proxy));

    internal static readonly NameTable<PolicyAction> Actions = new(("allow", PolicyAction.Allow), ("deny", PolicyAction.Deny));

    internal static readonly NameTable<ConnectionMethod> Methods = new(("plain", ConnectionMethod.Plain), ("tls", ConnectionMethod.Tls),
        ("mutual", ConnectionMethod.Mutual), ("passthrough", ConnectionMethod.Passthrough));

    internal static readonly IntRange Port = new("port", 1, 65535);
}
