using System.Net;
using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh.Tests.Services;

/// <summary>Services that relays carry: the engine, the relay of the clients and those of the endpoints agree, and nothing is named twice.</summary>
public sealed class CarriedServiceTests
{
    private const string Mesh = """
        mesh:
          domain: mesh.example
          addresses: [ 10.96.0.0/16, "fd00:96::/112" ]
          relay: { outbound: [ 10.1.0.13, "2001:db8::13" ], trust_domain: example.org }
          services:
            - { name: plain, ports: [ { port: 80 } ], endpoints: [ { address: 10.1.0.11 } ] }
            - name: bank
              namespace: shop
              tls: mutual
              ports: [ { name: http, port: 80, target_port: 8080 }, { name: admin, port: 81 } ]
              endpoints: [ { address: 10.1.0.11, weight: 3 }, { address: 10.1.0.12, ports: { http: 9090 } }, { address: 10.1.0.14, weight: 0 }, { address: 10.1.0.15, ready: false } ]

        """;

    private const string Ports = "ports: { lan: { kind: memory } }\ninterfaces: [ { port: lan, address: 10.1.0.1/24 }, { port: lan, address: \"2001:db8::1/64\" } ]\n";

    private static readonly IdentitySpec s_identity = new() { Certificate = "a.pem", Key = "a.key", Bundles = new Dictionary<string, string> { ["example.org"] = "b.pem" } };

    private static RelaySpec Relay(RelayMeshSpec mesh) => new() { Identity = s_identity, Mesh = mesh };

    private static (DataplaneSpec Spec, MeshRuntime Runtime) Load(string mesh = Mesh)
    {
        var runtime = new MeshRuntime(TimeProvider.System);
        return (ConfigurationFile.Parse(Ports + mesh, "gateway.yaml", runtime.Expand).GetSpec(), runtime);
    }

    [Fact]
    public async Task Expand_ServiceWithTls_LeadsToTheRelayAndOthersToTheirEndpoints()
    {
        (DataplaneSpec spec, MeshRuntime runtime) = Load();
        await using (runtime)
        {
            ServiceSpecOf(spec, "plain.80").Backends.ToList().ForEach(backend => Assert.Equal("10.1.0.11", backend.Address.ToString()));
            Assert.Equal("10.1.0.13", Assert.Single(ServiceSpecOf(spec, "bank.shop.80").Backends).Address.ToString());
            Assert.Equal("2001:db8::13", Assert.Single(ServiceSpecOf(spec, "bank.shop.80.v6").Backends).Address.ToString());
            int[] ports = [.. spec.Services.Where(service => service.Name.StartsWith("bank", StringComparison.Ordinal)).Select(service => (int)service.Backends[0].Port).Distinct()];
            Assert.Equal(2, ports.Length);
            Assert.All(ports, port => Assert.InRange(port, 20000, 28191));
            Assert.All(runtime.Services, service => Assert.Equal("", service.Problem));
        }
    }

    [Fact]
    public async Task ExpandRelay_OfTheClients_ListensWhereTheEngineSendsAndConnectsToTheEndpointsRelays()
    {
        (DataplaneSpec spec, MeshRuntime runtime) = Load();
        await using (runtime)
        {
            RelaySpec relay = runtime.ExpandRelay(Relay(new RelayMeshSpec { File = "gateway.yaml", Outbound = true }));
            Assert.Empty(RelayChecks.Check(relay));
            IEnumerable<string> sent = spec.Services.Where(service => service.Name.StartsWith("bank", StringComparison.Ordinal))
                .Select(service => new IPEndPoint(IPAddress.Parse(service.Backends[0].Address.ToString()), service.Backends[0].Port).ToString());
            Assert.Equal(sent.Order(StringComparer.Ordinal), relay.Listeners.Select(listener => listener.Listen.ToString()).Order(StringComparer.Ordinal));
            RouteSpec route = Assert.Single(relay.Listeners.First(listener => listener.Name == "bank.shop.80").Routes);
            Assert.Equal(["10.1.0.11:15008 3", "10.1.0.12:15008 1"], route.Endpoints.Select(endpoint => $"{endpoint.Address} {endpoint.Weight}"));
            Assert.Equal((UpstreamKind.Mutual, "tcp-80.bank.shop.mesh.example", "spiffe://example.org/ns/shop/sa/bank"), (route.Connect, route.ServerName, Assert.Single(route.Peers).Text));
        }
    }

    [Fact]
    public async Task ExpandRelay_OfAnEndpoint_TakesWhatItServesAndNothingElse()
    {
        (DataplaneSpec _, MeshRuntime runtime) = Load();
        await using (runtime)
        {
            var mesh = new RelayMeshSpec { File = "gateway.yaml", Inbound = [IPAddress.Parse("10.1.0.12"), IPAddress.Parse("10.1.0.99")], Application = IPAddress.Loopback };
            RelaySpec relay = runtime.ExpandRelay(Relay(mesh));
            Assert.Empty(RelayChecks.Check(relay));
            Assert.Equal(["mesh-in 10.1.0.12:15008", "mesh-in-2 10.1.0.99:15008"], relay.Listeners.Select(listener => $"{listener.Name} {listener.Listen}"));
            Assert.Equal(["tcp-80.bank.shop.mesh.example 127.0.0.1:9090", "tcp-81.bank.shop.mesh.example 127.0.0.1:81"],
                relay.Listeners[0].Routes.Select(route => $"{route.ServerNames[0]} {Assert.Single(route.Endpoints).Address}"));
            Assert.Empty(relay.Listeners[1].Routes);
        }
    }

    [Fact]
    public async Task Expand_NoRelayOfAFamily_IsSaidAndNobodyIsConnectedInTheClear()
    {
        (DataplaneSpec spec, MeshRuntime runtime) = Load(Mesh.Replace(", \"2001:db8::13\"", "", StringComparison.Ordinal));
        await using (runtime)
        {
            Assert.Empty(ServiceSpecOf(spec, "bank.shop.80.v6").Backends);
            Assert.Contains("outbound has no IPv6 address", Assert.Single(runtime.Services, service => service.Name == "bank").Problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Manifest_ThatAsksForMutualTls_IsCarriedByRelays()
    {
        (IReadOnlyList<MeshServiceSpec> services, IReadOnlyList<MeshEndpointSpec> endpoints, IReadOnlyList<string> problems) = ManifestReader.Read("""
            apiVersion: v1
            kind: Service
            metadata: { name: vault, namespace: shop, annotations: { dataplane.mesh/tls: mutual } }
            spec: { selector: { app: vault }, ports: [ { port: 443, targetPort: 8080 } ] }
            ---
            apiVersion: v1
            kind: Service
            metadata: { name: safe, namespace: shop, annotations: { dataplane.mesh/tls: mutual, dataplane.mesh/identity: "spiffe://other.example/ns/shop/sa/keeper" } }
            spec: { ports: [ { port: 80 } ] }
            ---
            kind: Pod
            metadata: { name: v-1, namespace: shop, labels: { app: vault } }
            status: { podIP: 10.1.0.11 }
            """, "m.yaml");
        Assert.Empty(problems);
        MeshTables tables = MeshCompiler.Compile(MeshFixture.Mesh(Mesh), [("m", new SourceSnapshot { Revision = 1, Services = services, Endpoints = [.. endpoints] })], []);
        CarriedPort vault = Assert.Single(tables.Carried, port => port.Service.Name == "vault"), safe = Assert.Single(tables.Carried, port => port.Service.Name == "safe");
        Assert.Equal(("tcp-443.vault.shop.mesh.example", "spiffe://example.org/ns/shop/sa/vault", "10.1.0.11", 8080),
            (vault.ServerName, vault.Peer.Text, Assert.Single(vault.Endpoints).Address.ToString(), vault.Endpoints[0].Port));
        Assert.Equal("spiffe://other.example/ns/shop/sa/keeper", safe.Peer.Text);
        Assert.All(tables.Services.Where(service => service.Name.StartsWith("vault", StringComparison.Ordinal)),
            service => Assert.Equal(vault.RelayPort, Assert.Single(service.Backends).Port));
    }

    [Theory]
    [InlineData("dataplane.mesh/tls: strict", "", "dataplane.mesh/tls: \"strict\"")]
    [InlineData("dataplane.mesh/tls: mutual", "clusterIP: None", "dataplane.mesh/tls: a service with an address of its own is needed")]
    [InlineData("dataplane.mesh/tls: mutual, dataplane.mesh/identity: nobody", "", "dataplane.mesh/identity: \"nobody\" is no identity")]
    [InlineData("dataplane.mesh/identity: \"spiffe://e.org/x\"", "", "dataplane.mesh/identity: is of no use without dataplane.mesh/tls: mutual")]
    public void Manifest_ThatAsksForTlsInWordsNotUnderstood_IsLeftOut(string annotations, string kind, string problem)
    {
        (IReadOnlyList<MeshServiceSpec> services, _, IReadOnlyList<string> problems) = ManifestReader.Read(
            $"kind: Service\nmetadata: {{ name: a, annotations: {{ {annotations} }} }}\nspec: {{ {kind} }}\n", "m.yaml");
        Assert.Empty(services);
        Assert.Contains(problem, Assert.Single(problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("  relay: { outbound: 10.1.0.13 }\n  services: [ { name: a, tls: mutual, ports: [ { port: 80 } ] } ]", "mesh.services[0].identity")]
    [InlineData("  services: [ { name: a, tls: mutual, identity: \"spiffe://e.org/x\", ports: [ { port: 80 } ] } ]", "mesh.services[0].tls")]
    [InlineData("  relay: { outbound: 10.1.0.13 }\n  services: [ { name: a, tls: mutual, identity: nobody, ports: [ { port: 80 } ] } ]", "mesh.services[0].identity")]
    [InlineData("  services: [ { name: a, identity: \"spiffe://e.org/x\", ports: [ { port: 80 } ] } ]", "mesh.services[0].identity")]
    [InlineData("  relay: { outbound: 10.1.0.13, trust_domain: e.org }\n  services: [ { name: a, tls: mutual, ports: [ { port: 53, protocol: udp } ] } ]", "mesh.services[0].ports[0].protocol")]
    [InlineData("  relay: { outbound: 10.1.0.13, trust_domain: e.org }\n  services: [ { name: a, tls: mutual, kind: headless } ]", "mesh.services[0].tls")]
    [InlineData("  relay: { outbound: [ 10.1.0.13, 10.1.0.14 ] }", "mesh.relay.outbound[1]")]
    [InlineData("  relay: { outbound: 10.1.0.13, trust_domain: E.org }", "mesh.relay.trust_domain")]
    [InlineData("  relay: { outbound: 10.1.0.13, first_port: 60000 }", "mesh.relay.first_port")]
    public void Read_Wrong_IsSaidAtItsPlace(string section, string path)
    {
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Parse($"{Ports}mesh:\n  domain: mesh.example\n  addresses: 10.96.0.0/16\n{section}\n", "x", new MeshRuntime(TimeProvider.System).Expand).Errors;
        Assert.Contains(path, errors.Select(error => error.Path));
    }

    [Theory]
    [InlineData("mesh", "file", "g.yaml")]
    [InlineData("mesh.file", "outbound", "true")]
    [InlineData("mesh.inbound", "file", "g.yaml", "inbound", "here")]
    [InlineData("mesh.application", "file", "g.yaml", "outbound", "true", "application", "127.0.0.1")]
    public void ReadRelay_Wrong_IsSaidAtItsPlace(string path, params string[] section)
    {
        (string, object)[] entries = [.. section.Chunk(2).Select(pair => (pair[0], (object)pair[1]))];
        (RelaySpec _, IReadOnlyList<ConfigurationError> errors) = RelaySpecReader.Read(Support.Tree.Map(("mesh", Support.Tree.Map(entries))));
        Assert.Contains(path, errors.Select(error => error.Path));
        Assert.Contains(errors, error => error.Message.Contains("needs an identity", StringComparison.Ordinal));
    }

    private static Dataplane.Balancing.ServiceSpec ServiceSpecOf(DataplaneSpec spec, string name) => Assert.Single(spec.Services, service => service.Name == name);
}
