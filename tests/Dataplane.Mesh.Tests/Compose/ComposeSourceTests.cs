using Dataplane.Balancing;
using Dataplane.Mesh.Compose;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Mesh.Tests.Support;
using Dataplane.Names;

namespace Dataplane.Mesh.Tests.Compose;

/// <summary>Compose files as people write them, the states of their projects, and what a mesh makes of both.</summary>
public sealed class ComposeSourceTests : IDisposable
{
    private const string Shop = """
        name: shop
        services:
          web:
            image: nginx
            ports: [ "80:8080", "127.0.0.1:9000:9090/tcp" ]
            networks: { back: , front: { aliases: [ www ] } }
            labels:
              dataplane.mesh/ports: http=80:8080, 53/udp
              dataplane.mesh/network: front
              dataplane.mesh/weight: "3"
              dataplane.mesh/balance: round_robin
          db:
            image: mysql
            expose: [ "5432" ]
            networks: [ back ]
            labels: [ "dataplane.mesh/tls=mutual", "dataplane.mesh/identity=spiffe://example.org/ns/shop/sa/keeper", "org.example=1" ]
        networks: { front: , back: { name: real-back } }
        """;

    private const string State = """
        { "name": "shop", "replicas": [
          { "service": "web", "name": "shop-web-1", "processId": 11, "startTicks": 111, "attachments": [
            { "network": "real-back", "interface": "eth0", "addresses": [ "10.2.0.2" ] }, { "network": "shop_front", "interface": "eth1", "addresses": [ "10.1.0.2", "fd01::2" ] } ] },
          { "service": "web", "name": "shop-web-2", "processId": 12, "startTicks": 112, "attachments": [ { "network": "shop_front", "interface": "eth0", "addresses": [ "10.1.0.3" ] } ] },
          { "service": "db", "name": "shop-db-1", "byPodman": true, "attachments": [ { "network": "real-back", "interface": "eth0", "addresses": [ "10.2.0.3" ] } ] } ] }
        """;

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<int, long> _processes = new() { [11] = 111, [12] = 112 };

    public ComposeSourceTests() => Directory.CreateDirectory(_folder["projects/shop"]);

    public void Dispose() => _folder.Dispose();

    private ComposeSource Source(string text = Shop, string state = State)
    {
        File.WriteAllText(_folder["compose.yaml"], text);
        if (state.Length > 0)
        {
            File.WriteAllText(_folder["projects/shop/project.json"], state);
        }

        var source = new ComposeSource(_folder["compose.yaml"], "", _folder["projects"], TimeProvider.System, id => _processes.TryGetValue(id, out long ticks) ? ticks : null);
        source.Look();
        return source;
    }

    private static string[] Endpoints(ComposeSource source) =>
        [.. source.Snapshot.Endpoints.Select(endpoint => $"{endpoint.Service} {endpoint.Address} {endpoint.Weight} {(endpoint.IsReady ? "ready" : "ended")}").Order(StringComparer.Ordinal)];

    [Fact]
    public void Look_AFileThatIsUp_ServicesByTheirLabelsAndReplicasAtTheirNetwork()
    {
        ComposeSource source = Source();
        Assert.Equal(("", 0), (source.Status.Problem, source.Status.LeftOut.Count));
        MeshServiceSpec web = source.Snapshot.Services.Single(service => service.Name == "web"), db = source.Snapshot.Services.Single(service => service.Name == "db");
        Assert.Equal(("shop/web", BalancePolicy.RoundRobin, MeshServiceTls.None, "www"), (web.Key, web.Balance, web.Tls, Assert.Single(web.Aliases)));
        Assert.Equal(["http 80:8080/6", "udp-53 53:/17"], web.Ports.Select(port => $"{port.Name} {port.Port}:{port.TargetPort}/{port.Protocol}"));
        Assert.Equal((MeshServiceTls.Mutual, "spiffe://example.org/ns/shop/sa/keeper", 5432), (db.Tls, db.Identity, Assert.Single(db.Ports).Port));
        Assert.Equal(["db 10.2.0.3 1 ready", "web 10.1.0.2 3 ready", "web 10.1.0.3 3 ready", "web fd01::2 3 ready"], Endpoints(source));
    }

    [Fact]
    public void Look_AReplicaThatEnds_TakesNoNewFlowsAndTheOtherObjectsAreTheSame()
    {
        ComposeSource source = Source();
        SourceSnapshot before = source.Snapshot;
        source.Look();
        Assert.Same(before, source.Snapshot);
        _processes[12] = 999;
        source.Look();
        Assert.Contains("web 10.1.0.3 3 ended", Endpoints(source));
        Assert.Contains("web 10.1.0.2 3 ready", Endpoints(source));
        Assert.Same(before.Services, source.Snapshot.Services);
        Assert.Same(before.Endpoints.Find("shop/db"), source.Snapshot.Endpoints.Find("shop/db"));
        _processes.Remove(11);
        source.Look();
        Assert.DoesNotContain(Endpoints(source), endpoint => endpoint.StartsWith("web", StringComparison.Ordinal) && endpoint.EndsWith("ready", StringComparison.Ordinal));
    }

    [Fact]
    public void Look_AProjectThatGoesDown_LeavesServicesWithoutEndpoints()
    {
        ComposeSource source = Source();
        File.Delete(_folder["projects/shop/project.json"]);
        source.Look();
        Assert.Equal((2, 0, false), (source.Snapshot.Services.Count, source.Snapshot.Endpoints.Count, source.Status.IsStale));
    }

    [Theory]
    [InlineData("compose.yaml", "services: [")]
    [InlineData("compose.yaml", "version: '3'")]
    [InlineData("compose.yaml", "services: {}\n---\nservices: {}")]
    [InlineData("projects/shop/project.json", "{ \"replicas\": [ {")]
    public void Look_WhatIsNotUnderstood_LeavesTheLastAndIsStale(string file, string text)
    {
        ComposeSource source = Source();
        SourceSnapshot before = source.Snapshot;
        string good = File.ReadAllText(_folder[file]);
        File.WriteAllText(_folder[file], text);
        source.Look();
        Assert.Same(before, source.Snapshot);
        Assert.True(source.Status.IsStale);
        Assert.Contains(Path.GetFileName(file), source.Status.Problem, StringComparison.Ordinal);

        // The life of the replicas is followed nevertheless.
        _processes.Remove(12);
        source.Look();
        Assert.Contains("web 10.1.0.3 3 ended", Endpoints(source));
        File.WriteAllText(_folder[file], good);
        source.Look();
        Assert.False(source.Status.IsStale);
    }

    [Fact]
    public void Look_AFileThatWasNeverThere_HasSaidNothing()
    {
        var source = new ComposeSource(_folder["none.yaml"], "", _folder["projects"], TimeProvider.System);
        source.Look();
        Assert.Equal((0L, true), (source.Snapshot.Revision, source.Status.IsStale));
        Assert.Contains("none.yaml", source.Status.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("expose: [ 80 ], labels: { dataplane.mesh/tls: sometimes }", "dataplane.mesh/tls: \"sometimes\"")]
    [InlineData("expose: [ 80 ], labels: { dataplane.mesh/colour: red }", "dataplane.mesh/colour is none of the labels")]
    [InlineData("expose: [ 80 ], labels: { dataplane.mesh/weight: \"70000\" }", "0 to 65535")]
    [InlineData("expose: [ 80 ], labels: { dataplane.mesh/network: nowhere }", "none of the file's networks")]
    [InlineData("expose: [ 80 ], labels: { dataplane.mesh/identity: x }", "is of no use without")]
    [InlineData("expose: [ 80 ], labels: { dataplane.mesh/tls: mutual, dataplane.mesh/identity: x }", "is no identity")]
    [InlineData("expose: [ 80 ], labels: { dataplane.mesh/tls: mutual, dataplane.mesh/kind: headless }", "lead past the relays")]
    [InlineData("labels: { dataplane.mesh/ports: \"80:0\" }", "is no port such as")]
    [InlineData("labels: { dataplane.mesh/ports: \"80, 80:81\" }", "a port twice")]
    [InlineData("labels: {}", "has no port")]
    public void Look_AServiceThatIsWrong_IsLeftOutAndSaysWhy(string service, string problem)
    {
        ComposeSource source = Source($"name: shop\nservices:\n  bad: {{ {service} }}\n  good: {{ expose: [ 80 ] }}\n");
        Assert.Equal("good", Assert.Single(source.Snapshot.Services).Name);
        Assert.Contains(problem, Assert.Single(source.Status.LeftOut), StringComparison.Ordinal);
        Assert.False(source.Status.IsStale);
    }

    [Theory]
    [InlineData("ports: [ \"8000-8001:80-81/udp\", { target: 443, published: \"1\", name: https } ], expose: [ 81/udp ]", "udp-80 80/17, udp-81 81/17, https 443/6")]
    [InlineData("ports: [ 7 ]", " 7/6")]
    [InlineData("labels: { dataplane.mesh/kind: headless }", "")]
    public void Read_Ports_AreThoseOfTheContainers(string service, string ports) =>
        Assert.Equal(ports, string.Join(", ", Assert.Single(Source($"name: shop\nservices:\n  a: {{ {service} }}\n").Snapshot.Services).Ports.Select(port => $"{port.Name} {port.Port}/{port.Protocol}")));

    [Fact]
    public void Look_AServiceThatIsSwitchedOff_IsNotThereAndNotWrong()
    {
        ComposeSource source = Source("name: shop\nservices: { a: { expose: [ 80 ], labels: { dataplane.mesh/enabled: \"false\" } } }\n");
        Assert.Equal((0, 0, false), (source.Snapshot.Services.Count, source.Status.LeftOut.Count, source.Status.IsStale));
    }

    [Fact]
    public void Compile_Aliases_LeadToTheServiceUnlessTheyAreAnothersName()
    {
        MeshSpec mesh = MeshFixture.Mesh("""
            mesh:
              domain: mesh.example
              addresses: [ 10.96.0.0/16 ]
              dns: { listen: 198.51.100.53 }
              services:
                - { name: a, aliases: [ first, b, Both ], ports: [ { port: 80 } ] }
                - { name: b, aliases: [ both ], ports: [ { port: 80 } ] }
            """);
        MeshTables tables = MeshCompiler.Compile(mesh, [], []);
        NameRecord[] records = [.. tables.Names!.Zones[0].Records.Where(record => record.Type == NameRecordType.A)];
        string Of(string name) => string.Join(' ', records.Where(record => record.Name == name).Select(record => tables.Status.Single(status => status.Addresses.Contains(record.Address)).Name).Order());
        Assert.Equal(("a", "a", "b", "a b"), (Of("first.mesh.example"), Of("first.default.mesh.example"), Of("b.mesh.example"), Of("both.mesh.example")));
        Assert.Contains("alias b is the name of a service", tables.Status[0].Problem, StringComparison.Ordinal);
    }
}
