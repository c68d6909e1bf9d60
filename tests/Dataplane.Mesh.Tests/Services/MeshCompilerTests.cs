using Dataplane.Balancing;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Tests.Services;

/// <summary>What a mesh becomes: services of the engine and names.</summary>
public sealed class MeshCompilerTests
{
    private const string Manifest = """
        apiVersion: v1
        kind: Service
        metadata:
          name: my-service
        spec:
          selector:
            app: my-app
          ports:
            - protocol: TCP
              port: 80
              targetPort: 8080
          type: LoadBalancer
        """;

    private const string Base = """
        mesh:
          domain: mesh.example
          addresses: [ 10.96.0.0/16, "fd00:96::/112" ]
          load_balancers: [ 198.51.100.64/27 ]
          node_addresses: [ 198.51.100.2 ]
          dns: { listen: 198.51.100.53 }
          endpoints:
            - { name: one, address: 10.1.0.11, labels: { app: my-app, tier: web } }
            - { name: two, address: 10.1.0.12, labels: { app: my-app } }
            - { name: three, address: 10.1.0.13, labels: { app: other } }
            - { name: four, address: 10.1.0.14, namespace: elsewhere, labels: { app: my-app } }
            - { name: sick, address: 10.1.0.15, ready: false, labels: { app: my-app } }

        """;

    private static MeshTables Compile(string yaml, string manifest = "", params string[] own)
    {
        (IReadOnlyList<MeshServiceSpec> services, IReadOnlyList<MeshEndpointSpec> endpoints, IReadOnlyList<string> problems) = ManifestReader.Read(manifest, "m.yaml");
        Assert.Empty(problems);
        var snapshot = new SourceSnapshot { Revision = 1, Services = services, Endpoints = [.. endpoints] };
        return MeshCompiler.Compile(MeshFixture.Mesh(yaml), [("manifests", snapshot)], own.Select(text => IpAddress.Parse(text)));
    }

    private static string[] Records(MeshTables tables, string name) =>
        [.. tables.Names!.Zones.SelectMany(zone => zone.Records).Where(record => record.Name == name)
            .Select(record => $"{record.Type} {(record.Address.IsNone ? $"{record.Target}{(record.Type == NameRecordType.Srv ? $":{record.Port}" : "")}" : record.Address)}{record.Text}").Order(StringComparer.Ordinal)];

    [Fact]
    public void Compile_TheManifestAsItStands_IsReachableFromOutsideAtPort8080OfItsPods()
    {
        MeshTables tables = Compile(Base, Manifest);
        MeshServiceStatus status = Assert.Single(tables.Status);
        IpAddress outside = Assert.Single(status.LoadBalancerAddresses), inside = status.Addresses[0];
        Assert.True(IpPrefix.Parse("198.51.100.64/27").Contains(outside) && IpPrefix.Parse("10.96.0.0/16").Contains(inside) && status.Addresses.Count == 2);
        ServiceSpec service = Assert.Single(tables.Services, service => service.Address == outside);
        Assert.Equal((80, 6, "my-service.80.lb"), (service.Port, service.Protocol, service.Name));
        Assert.Equal(["10.1.0.11:8080", "10.1.0.12:8080"], service.Backends.Select(backend => $"{backend.Address}:{backend.Port}"));
        Assert.Equal([$"A {outside}"], Records(tables, "my-service.mesh.example"));
        Assert.Equal([$"A {inside}", $"Aaaa {status.Addresses[1]}"], Records(tables, "my-service.default.svc.cluster.local"));
        Assert.Equal(["Txt 1.1.0"], Records(tables, "dns-version.cluster.local"));
        Assert.Equal(["DomainPointer my-service.mesh.example"], Records(tables, DomainName.ReverseOf(outside)));
        Assert.Equal(("", 2, 3), (status.Problem, status.Ready, status.Endpoints.Count));
    }

    [Fact]
    public void Compile_Kubernetes_EveryKindOfService()
    {
        MeshTables tables = Compile(Base, """
            apiVersion: v1
            kind: List
            items:
              - { kind: Service, metadata: { name: node }, spec: { type: NodePort, clusterIP: 10.96.0.9, selector: { app: other }, ports: [ { name: web, port: 80, targetPort: web, nodePort: 30080 } ] } }
              - { kind: Service, metadata: { name: bare, namespace: db }, spec: { clusterIP: None, ports: [ { name: pg, port: 5432 } ] } }
              - { kind: Service, metadata: { name: out }, spec: { type: ExternalName, externalName: www.example.org } }
              - { kind: Ingress, metadata: { name: passed-over } }
              - kind: Pod
                metadata: { name: p, labels: { app: other } }
                spec: { containers: [ { ports: [ { name: web, containerPort: 8081 } ] } ] }
                status: { podIP: 10.1.0.21, conditions: [ { type: Ready, status: "True" } ] }
            ---
            kind: EndpointSlice
            metadata: { name: bare-x, namespace: db, labels: { kubernetes.io/service-name: bare } }
            ports: [ { name: pg, port: 5433 } ]
            endpoints:
              - { addresses: [ 10.1.0.31 ], hostname: pg-0 }
              - { addresses: [ 10.1.0.32 ], conditions: { ready: false } }
              - { addresses: [ 10.1.0.33 ] }
            """);
        Assert.Equal(["db/bare", "default/node", "default/out"], tables.Status.Select(status => $"{status.Namespace}/{status.Name}"));
        Assert.Equal(["10.96.0.9:80", "198.51.100.2:30080"], tables.Services.Select(service => $"{service.Address}:{service.Port}").Order(StringComparer.Ordinal));
        Assert.All(tables.Services, service => Assert.Equal("10.1.0.21:8081", string.Join(' ', service.Backends.Select(backend => $"{backend.Address}:{backend.Port}"))));
        Assert.Equal(["A 10.1.0.31", "A 10.1.0.33"], Records(tables, "bare.db.svc.cluster.local"));
        Assert.Equal(["A 10.1.0.31"], Records(tables, "pg-0.bare.db.svc.cluster.local"));
        Assert.Equal(["A 10.1.0.33"], Records(tables, "10-1-0-33.bare.db.svc.cluster.local"));
        Assert.Equal(["Srv 10-1-0-33.bare.db.svc.cluster.local:5433", "Srv pg-0.bare.db.svc.cluster.local:5433"], Records(tables, "_pg._tcp.bare.db.svc.cluster.local"));
        Assert.Equal(["DomainPointer pg-0.bare.db.mesh.example"], Records(tables, "31.0.1.10.in-addr.arpa"));
        Assert.Equal(["Cname www.example.org"], Records(tables, "out.default.svc.cluster.local"));
        Assert.Equal(["Srv node.default.svc.cluster.local:80"], Records(tables, "_web._tcp.node.default.svc.cluster.local"));
    }

    [Fact]
    public void Compile_NoEndpointReady_ThoseThatStillServeDo()
    {
        const string Slice = """
            kind: Service
            metadata: { name: s }
            spec: { clusterIP: 10.96.0.9, ports: [ { port: 80 } ] }
            ---
            kind: EndpointSlice
            metadata: { labels: { kubernetes.io/service-name: s } }
            ports: [ { name: "", port: 8080 } ]
            endpoints:
              - { addresses: [ 10.1.0.31 ], conditions: { ready: READY, serving: true, terminating: true } }
              - { addresses: [ 10.1.0.32 ], conditions: { ready: false, serving: true, terminating: true } }
              - { addresses: [ 10.1.0.33 ], conditions: { ready: false } }
            """;
        string Backends(string ready) => string.Join(' ', Compile(Base, Slice.Replace("READY", ready, StringComparison.Ordinal)).Services[0].Backends.Select(backend => backend.Address));
        Assert.Equal(("10.1.0.31", "10.1.0.31 10.1.0.32"), (Backends("true"), Backends("false")));
    }

    [Fact]
    public void Compile_ConflictsAndShortages_AreSaidAndTheRestWorks()
    {
        MeshTables tables = Compile("""
            mesh:
              domain: mesh.example
              dns: { listen: 198.51.100.53 }
              services:
                - { name: a, addresses: 10.96.0.1, ports: [ { port: 80 } ], endpoints: [ { address: 10.1.0.11 }, { address: 10.1.0.1 } ] }
                - { name: b, addresses: [ 10.96.0.1 ], ports: [ { port: 80 }, { port: 81, name: x } ], endpoints: [ { address: 10.1.0.11 } ] }
                - { name: c, ports: [ { port: 80 } ] }
            """, Manifest.Replace("my-service", "a", StringComparison.Ordinal), "10.1.0.1");
        Assert.Equal(["10.96.0.1:80", "10.96.0.1:81"], tables.Services.Select(service => $"{service.Address}:{service.Port}"));
        Assert.Contains("default/a's already", tables.Status[1].Problem, StringComparison.Ordinal);
        Assert.Contains("there is no address for it", tables.Status[2].Problem, StringComparison.Ordinal);
        Assert.Equal("configuration", tables.Status[0].Source);
    }

    [Fact]
    public void Compile_SameInputInAnotherOrder_IsTheSame()
    {
        string[] services = [.. Enumerable.Range(0, 50).Select(i => $"    - {{ name: s{i}, ports: [ {{ port: 80 }} ] }}")];
        string[] Addresses(IEnumerable<string> lines) => [.. Compile(Base + "  services:\n" + string.Join('\n', lines) + "\n").Services.Select(service => $"{service.Name} {service.Address}")];
        Assert.Equal(Addresses(services), Addresses(services.Reverse()));
        Assert.Equal(100, Addresses(services).Distinct().Count());
        Assert.All(Compile(Base + "  services:\n" + string.Join('\n', services) + "\n").Services, service => Assert.InRange(service.Name.Length, 1, 32));
    }

    [Fact]
    public void Compile_WeightedHeadlessService_IsAnsweredByWeight()
    {
        MeshTables tables = Compile("""
            mesh:
              domain: mesh.example
              dns: { listen: 198.51.100.53, ttl: 5s }
              services:
                - { name: web, kind: headless, ttl: 2s, endpoints: [ { address: 10.1.0.11, weight: 3 }, { address: 10.1.0.12 }, { address: 10.1.0.13, ready: false } ] }
            """);
        Assert.Empty(tables.Services);
        NameRecord[] records = [.. tables.Names!.Zones[0].Records.Where(record => record.Name == "web.mesh.example")];
        Assert.Equal(["10.1.0.11 3 2", "10.1.0.12 1 2"], records.Select(record => $"{record.Address} {record.Weight} {record.TtlSeconds}"));
    }
}
