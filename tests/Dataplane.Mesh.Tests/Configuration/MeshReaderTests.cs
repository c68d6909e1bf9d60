using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh.Configuration;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Tests.Configuration;

/// <summary>The section mesh: what it may hold, and what is said of what it may not.</summary>
public sealed class MeshReaderTests
{
    [Fact]
    public void Read_Everything_IsUnderstood()
    {
        MeshSpec mesh = MeshFixture.Mesh("""
            mesh:
              domain: Mesh.Example.
              cluster_domain: c.local
              table_size: 251
              dns: { listen: [ 10.0.0.1, "fd00::1" ], upstreams: [ 192.0.2.53, "[fd00::53]:5353" ], ttl: 60s, negative_ttl: 1s, rate_limit: 0, dns64: { prefix: "2001:db8:64::/96", exclude: [ 10.0.0.0/8, "::ffff:0:0/96" ] } }
              services:
                - name: web
                  namespace: shop
                  kind: node_port
                  ports: [ { name: http, port: 80, target_port: 8080, node_port: 30080 }, { name: dns, port: 53, protocol: udp } ]
                  selector: { app: web }
                  balance: round_robin
                  ttl: 5s
                  publish_not_ready: true
              sources:
                - { kind: kubernetes, files: [ a.yaml ] }
                - { kind: registration, listen: "127.0.0.1:7070" }
                - { kind: etcd, members: [ "http://127.0.0.1:2379" ], prefix: /x/ }
                - { kind: kubernetes, kubeconfig: config, context: c, namespaces: [ shop ] }
                - { kind: kubernetes, api: "https://10.0.0.1:6443", ca: ca.pem, token_file: token }
                - { kind: kubernetes, api: in_cluster }
                - { kind: dns, servers: [ 192.0.2.53, "[fd00::53]:5353" ], lookups: [ { name: Db.Example., service: db, port: 5432, target_port: 5433, protocol: udp } ] }
                - { kind: xds, members: [ "https://plane:15012" ], clusters: [ "shop/web:80" ], node: gw1, node_cluster: edge, ca: ca.pem, certificate: own.pem, key: own.key }
                - { kind: compose, file: compose.yaml, project: shop, projects: /run/projects }
            """);
        MeshServiceSpec web = Assert.Single(mesh.Services);
        Assert.Equal(("mesh.example", 251, 2, 2, 60, 0), (mesh.Domain, mesh.TableSize, mesh.Dns!.Listen.Count, mesh.Dns.Upstreams.Count, mesh.Dns.TtlSeconds, mesh.Dns.QueriesPerSecond));
        Assert.Equal(("shop/web", MeshServiceKind.NodePort, 5, true), (web.Key, web.Kind, web.TtlSeconds, web.PublishNotReady));
        Assert.Equal([(80, 6), (53, 17)], web.Ports.Select(port => ((int)port.Port, (int)port.Protocol)));
        Assert.Equal(53, mesh.Dns.Upstreams[0].Port);
        Assert.Equal(("2001:db8:64::/96", "10.0.0.0/8 ::ffff:0.0.0.0/96"), (mesh.Dns.Dns64!.Prefix.ToString(), string.Join(' ', mesh.Dns.Dns64.Exclude)));
        Assert.True(Path.IsPathFullyQualified(mesh.Sources[0].Files[0]));
        Assert.Equal((2, "db.example", "db", 5432, 5433, 17), (mesh.Sources[6].Servers.Count, mesh.Sources[6].Lookups[0].Name, mesh.Sources[6].Lookups[0].Service,
            (int)mesh.Sources[6].Lookups[0].Port, (int)mesh.Sources[6].Lookups[0].TargetPort, (int)mesh.Sources[6].Lookups[0].Protocol));
        Assert.Equal((MeshSourceKind.Xds, "https://plane:15012", "shop/web:80", "gw1", "edge"),
            (mesh.Sources[7].Kind, mesh.Sources[7].Endpoints[0], mesh.Sources[7].Clusters[0], mesh.Sources[7].Node, mesh.Sources[7].NodeCluster));
        Assert.All([mesh.Sources[7].CertificateAuthority, mesh.Sources[7].Certificate, mesh.Sources[7].Key], path => Assert.True(Path.IsPathFullyQualified(path), path));
        Assert.Equal((MeshSourceKind.Compose, "compose.yaml", "shop", "/run/projects"), (mesh.Sources[8].Kind, Path.GetFileName(mesh.Sources[8].File), mesh.Sources[8].Project, mesh.Sources[8].Projects));
        Assert.Equal(("c", "shop", true), (mesh.Sources[3].Context, mesh.Sources[3].Namespaces[0], Path.IsPathFullyQualified(mesh.Sources[3].Kubeconfig)));
        Assert.Equal(("https://10.0.0.1:6443", true, true), (mesh.Sources[4].Api, mesh.Sources[4].CertificateAuthority.EndsWith("/ca.pem", StringComparison.Ordinal), mesh.Sources[4].TokenFile.EndsWith("/token", StringComparison.Ordinal)));
    }

    [Fact]
    public void Read_Wrong_EveryErrorAtOnceWithItsPlace()
    {
        LoadResult loaded = ConfigurationFile.Parse("""
            mesh:
              domain: a..b
              addresses: [ 10.0.0.0/8, 10.1.0.0/16 ]
              dns: { upstreams: [ nobody ], ttl: 1500ms }
              services:
                - { name: web_, ports: [ { port: 0 }, { name: x }, { port: 80, target_port: 99999 }, { port: 80 } ], colour: red, aliases: [ a, b.c ] }
                - { name: out, kind: external_name }
                - { name: out, kind: headless, external_name: x.example }
                - { name: none }
              endpoints:
                - { address: 10.0.0.300, ports: { http: 70000 }, labels: [ a ] }
              sources:
                - { kind: kubernetes }
                - { kind: etcd, members: [ nowhere ] }
                - { kind: registration, listen: somewhere }
                - { kind: kubernetes, api: nowhere, files: [ a.yaml ], context: c, ca: a.pem, namespaces: [ a.b ] }
                - { kind: dns }
                - { kind: dns, servers: [ nobody ], lookups: [ { name: a..b, port: 70000 } ] }
                - { kind: xds }
                - { kind: xds, members: [ nowhere, "http://plane:18000" ], clusters: [ a..b ], ca: ca.pem, certificate: own.pem }
                - { kind: dns, lookups: [ { name: a.example, service: a } ], clusters: [ a ], node: b, node_cluster: c, certificate: d, key: e }
                - { kind: compose, clusters: [ a ] }
                - { kind: etcd, members: [ "http://127.0.0.1:2379" ], file: a, project: b, projects: c }
            """, "mesh.yaml", MeshRuntime.ExpandOnce);
        string[] paths = [.. loaded.Errors.Select(error => $"{error.Line} {error.Path}").Where(path => path.Contains(" mesh", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Assert.Equal(
            new[]
            {
                "2 mesh.domain", "3 mesh.addresses[1]", "4 mesh.dns.upstreams[0]", "4 mesh.dns.ttl", "4 mesh.dns.listen", "6 mesh.services[0].ports[0].port",
                "6 mesh.services[0].ports[1].port", "6 mesh.services[0].ports[2].target_port", "6 mesh.services[0].ports[3].port", "6 mesh.services[0].colour",
                "6 mesh.services[0].ports[2].name", "6 mesh.services[0].ports[3].name",
                "7 mesh.services[1].external_name", "8 mesh.services[2].name", "8 mesh.services[2].external_name", "9 mesh.services[3].ports", "11 mesh.endpoints[0].address",
                "11 mesh.endpoints[0].ports.http", "11 mesh.endpoints[0].labels", "13 mesh.sources[0].files", "14 mesh.sources[1].members", "15 mesh.sources[2].listen",
                "16 mesh.sources[3].api", "16 mesh.sources[3].api", "16 mesh.sources[3].context", "16 mesh.sources[3].ca", "16 mesh.sources[3].namespaces", "16 mesh.sources[3].namespaces",
                "17 mesh.sources[4].lookups", "18 mesh.sources[5].servers[0]", "18 mesh.sources[5].lookups[0].name", "18 mesh.sources[5].lookups[0].service", "18 mesh.sources[5].lookups[0].port",
                "19 mesh.sources[6].members", "20 mesh.sources[7].members", "20 mesh.sources[7].clusters", "20 mesh.sources[7].ca", "20 mesh.sources[7].certificate", "20 mesh.sources[7].key",
                "21 mesh.sources[8].clusters", "21 mesh.sources[8].node", "21 mesh.sources[8].node_cluster", "21 mesh.sources[8].certificate", "21 mesh.sources[8].key",
                "22 mesh.sources[9].file", "22 mesh.sources[9].clusters", "23 mesh.sources[10].file", "23 mesh.sources[10].project", "23 mesh.sources[10].projects", "6 mesh.services[0].aliases[1]",
            }.Order(StringComparer.Ordinal), paths);
    }

    [Fact]
    public void Validate_AMeshThatNobodyWorksOut_IsRefused() =>
        Assert.Contains(ConfigurationFile.Parse("ports: { a: { kind: memory } }\nmesh: { domain: x.example }\n", "x").Errors, error => error.Path == "mesh");

    public static TheoryData<string> Sections => [.. s_sections.Keys];

    private static readonly Dictionary<string, KeyTable> s_sections = new()
    {
        ["Mesh"] = MeshKeys.Mesh,
        ["Dns"] = MeshKeys.Dns,
        ["Dns64"] = MeshKeys.Dns64,
        ["Relay"] = MeshKeys.Relay,
        ["Services"] = MeshKeys.Service,
        ["Ports"] = MeshKeys.Port,
        ["Endpoints"] = MeshKeys.Endpoint,
        ["Sources"] = MeshKeys.Source,
        ["Lookups"] = MeshKeys.Lookup,
    };

    [Theory]
    [MemberData(nameof(Sections))]
    public void Section_OfTheDocument_HasTheKeysOfTheReader(string title)
    {
        string[] lines = File.ReadAllLines(Path.Combine(MeshFixture.Root(), "docs/DISCOVERY.md"));
        IEnumerable<string> section = lines.SkipWhile(line => line != $"## {title}").Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal));
        Assert.Equal(s_sections[title].Keys.Order(), section.Where(line => line.StartsWith("| `", StringComparison.Ordinal)).Select(line => line.Split('`')[1]).Order());
    }

    [Fact]
    public void Examples_OfTheDocument_AreGood()
    {
        string text = File.ReadAllText(Path.Combine(MeshFixture.Root(), "docs/DISCOVERY.md"));
        string[] blocks = [.. text.Split("```yaml\n").Skip(1).Select(part => part.Split("```")[0]).Where(block => block.Contains("mesh:", StringComparison.Ordinal))];
        Assert.NotEmpty(blocks);
        foreach (string block in blocks)
        {
            Assert.Empty(ConfigurationFile.Parse(block, "docs/DISCOVERY.md", MeshRuntime.ExpandOnce).Errors);
        }
    }
}
