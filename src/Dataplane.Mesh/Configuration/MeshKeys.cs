using Dataplane.Configuration;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Configuration;

/// <summary>Every key of the section <c>mesh</c>. docs/DISCOVERY.md describes each; a test compares the two.</summary>
internal static class MeshKeys
{
    public static readonly KeyTable Mesh = new("a mesh",
        "domain", "cluster_domain", "addresses", "load_balancers", "node_addresses", "table_size", "dns", "relay", "services", "endpoints", "sources");

    public static readonly KeyTable Dns = new("a dns section", "listen", "upstreams", "ttl", "negative_ttl", "rate_limit", "dns64");
    public static readonly KeyTable Dns64 = new("a dns64 section", "prefix", "exclude");

    public static readonly KeyTable Relay = new("a relay section", "outbound", "first_port", "inbound_port", "trust_domain");

    public static readonly KeyTable Service = new("a service of a mesh",
        "name", "namespace", "kind", "ports", "addresses", "load_balancer_addresses", "selector", "endpoints", "balance", "ttl", "external_name", "publish_not_ready", "tls", "identity", "aliases");

    public static readonly KeyTable Port = new("a port of a service", "name", "port", "target_port", "protocol", "node_port");

    public static readonly KeyTable Endpoint = new("an endpoint of a mesh", "name", "namespace", "address", "service", "labels", "ports", "weight", "ready", "hostname");

    public static readonly KeyTable Source = new("a source", "kind", "files", "api", "kubeconfig", "context", "ca", "namespaces", "listen", "members", "prefix", "token_file", "servers", "lookups",
        "clusters", "node", "node_cluster", "certificate", "key", "file", "project", "projects");

    /// <summary>Those of a source's keys that compose alone has.</summary>
    public static readonly string[] ComposeOnly = ["file", "project", "projects"];

    /// <summary>Those of a source's keys that xDS alone has.</summary>
    public static readonly string[] XdsOnly = ["clusters", "node", "node_cluster", "certificate", "key"];

    public static readonly KeyTable Lookup = new("a lookup", "name", "service", "namespace", "port", "target_port", "protocol");

    public static readonly KeyTable[] All = [Mesh, Dns, Relay, Service, Port, Endpoint, Source, Lookup];

    public static readonly NameTable<MeshServiceKind> Kinds = new(("cluster_ip", MeshServiceKind.ClusterIp), ("node_port", MeshServiceKind.NodePort),
        ("load_balancer", MeshServiceKind.LoadBalancer), ("headless", MeshServiceKind.Headless), ("external_name", MeshServiceKind.ExternalName));

    public static readonly NameTable<MeshServiceTls> Tls = new(("none", MeshServiceTls.None), ("mutual", MeshServiceTls.Mutual));

    public static readonly NameTable<MeshSourceKind> SourceKinds = new(
        ("kubernetes", MeshSourceKind.Kubernetes), ("registration", MeshSourceKind.Registration), ("etcd", MeshSourceKind.Etcd), ("dns", MeshSourceKind.Dns),
        ("xds", MeshSourceKind.Xds), ("compose", MeshSourceKind.Compose));

    public static readonly NameTable<byte> Protocols = new(("tcp", 6), ("udp", 17));
}
