using System.Security.Cryptography.X509Certificates;
using Dataplane.Balancing;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Mesh.Tests.Support;
using Dataplane.Mesh.Xds;
using static Dataplane.Mesh.Tests.Xds.Proto;

namespace Dataplane.Mesh.Tests.Xds;

/// <summary>Services and endpoints from a control plane.</summary>
public sealed class XdsSourceTests
{
    private static MeshSourceSpec Spec(XdsServer server, params string[] clusters) =>
        new() { Kind = MeshSourceKind.Xds, Endpoints = [server.Url], Clusters = clusters, Node = "gw1", NodeCluster = "edge" };

    private static async Task<XdsSource> StartAsync(MeshSourceSpec spec, TimeSpan? fetch = null)
    {
        var source = new XdsSource(spec, TimeProvider.System, fetch ?? TimeSpan.FromMinutes(5));
        await source.StartAsync(() => { }, CancellationToken.None).WaitAsync(Patience.Limit);
        return source;
    }

    private static Dictionary<string, byte[]> Of(params (string Name, byte[] Resource)[] resources) => resources.ToDictionary(pair => pair.Name, pair => pair.Resource);

    private static Task ClustersAsync(XdsServer server, string version, params string[] names) => server.SetAsync(ClusterType, version, names.ToDictionary(name => name, name => Cluster(name)));

    private static Task EndpointsAsync(XdsServer server, string version, params (string Name, string Address)[] endpoints) =>
        server.SetAsync(AssignmentType, version, endpoints.ToDictionary(pair => pair.Name, pair => Assignment(pair.Name, Locality("a", 0, Endpoint(pair.Address)))));

    private static string[] Addresses(XdsSource source) => [.. source.Snapshot.Endpoints.Select(endpoint => $"{endpoint.Service} {endpoint.Address}").Order(StringComparer.Ordinal)];

    private static Task UntilAsync(XdsSource source, params string[] addresses) =>
        Patience.UntilAsync(() => Addresses(source).SequenceEqual(addresses) && !source.Status.IsStale, $"{string.Join(", ", addresses)}; it is {string.Join(", ", Addresses(source))} {source.Status.Problem}");

    [Fact]
    public async Task Start_ClustersAndEndpoints_AreServicesAndTheServerIsAnsweredByTheLetter()
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await server.SetAsync(ClusterType, "c1", Of(("web:80", Cluster("web:80", assignment: "web-eds", policy: 1)), ("shop/db:5432", Cluster("shop/db:5432"))));
        await server.SetAsync(AssignmentType, "e1", Of(
            ("web-eds", Assignment("web-eds", Locality("a", 0, Endpoint("10.1.0.11", 8080, weight: 3), Endpoint("2001:db8::11", 8080), Endpoint("10.1.0.13", 8080, health: 3), Endpoint("10.1.0.14", 8080, health: 2)))),
            ("shop/db:5432", Assignment("shop/db:5432", Locality("b", 0, Endpoint("10.1.0.21", 5432))))));
        await using XdsSource source = await StartAsync(Spec(server));
        await Patience.UntilAsync(() => source.Snapshot.Revision == 1, "the first word");

        Assert.Equal(["default/web 80", "shop/db 5432"], source.Snapshot.Services.Select(service => $"{service.Namespace}/{service.Name} {service.Ports[0].Port}"));
        Assert.Equal([BalancePolicy.PowerOfTwo, BalancePolicy.Maglev], source.Snapshot.Services.Select(service => service.Balance));
        MeshServiceSpec web = source.Snapshot.Services[0];
        Assert.Equal(
            ["10.1.0.11 3 True False a", "2001:db8::11 1 True False a", "10.1.0.13 1 False True a", "10.1.0.14 1 False False a", "10.1.0.21 1 True False b"],
            source.Snapshot.Endpoints.Select(endpoint => $"{endpoint.Address} {endpoint.Weight} {endpoint.IsReady} {endpoint.IsServing} {endpoint.Labels["topology.kubernetes.io/zone"]}"));
        Assert.All(source.Snapshot.Endpoints.SkipLast(1), endpoint => Assert.Equal(8080, EndpointSelection.PortOf(web, web.Ports[0], endpoint)));

        await Patience.UntilAsync(() => server.Requests.Length >= 4, "both answers are answered");
        Assert.Equal(
        [
            new XdsRequest(1, ClusterType, "", "", "", null, "gw1/edge"),
            new XdsRequest(1, ClusterType, "c1", "n1", "", null, ""),
            new XdsRequest(1, AssignmentType, "", "", "shop/db:5432 web-eds", null, ""),
            new XdsRequest(1, AssignmentType, "e1", "n2", "shop/db:5432 web-eds", null, ""),
        ], server.Requests);
    }

    [Fact]
    public async Task Changes_OfEndpointsAndClusters_ConvergeAndClustersThatAreLeftOutGo()
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await ClustersAsync(server, "1", "a:80", "b:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"), ("b:80", "10.1.0.2"));
        await using XdsSource source = await StartAsync(Spec(server));
        await UntilAsync(source, "a 10.1.0.1", "b 10.1.0.2");

        // Endpoints that an answer leaves out stay: it is clusters that end them.
        await EndpointsAsync(server, "2", ("a:80", "10.1.0.3"));
        await UntilAsync(source, "a 10.1.0.3", "b 10.1.0.2");
        await ClustersAsync(server, "2", "a:80");
        await UntilAsync(source, "a 10.1.0.3");
        await EndpointsAsync(server, "3", ("a:80", "10.1.0.3"), ("c:80", "10.1.0.4"));
        await ClustersAsync(server, "3", "a:80", "c:80");
        await UntilAsync(source, "a 10.1.0.3", "c 10.1.0.4");
        await ClustersAsync(server, "4");
        await UntilAsync(source);
        await Patience.UntilAsync(() => server.Requests[^1] is { Type: AssignmentType, Names: "" }, "nothing is asked for any more");
        Assert.All(server.Requests, request => Assert.Null(request.Problem));
    }

    [Fact]
    public async Task Start_ClustersByName_AreAskedForByName()
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await ClustersAsync(server, "1", "a:80", "b:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"), ("b:80", "10.1.0.2"));
        await using XdsSource source = await StartAsync(Spec(server, "b:80"));
        await UntilAsync(source, "b 10.1.0.2");
        Assert.Equal("b:80", server.Requests[0].Names);
    }

    public static TheoryData<string, byte[], string> BadEndpoints => new()
    {
        { "a name", Assignment("a:80", Locality("a", 0, Endpoint("10.1.0.9"), Endpoint("db.example"))), "endpoints of a:80: \"db.example\" is not an address" },
        { "no port", Assignment("a:80", Locality("a", 0, Endpoint("10.1.0.9", port: 0))), "endpoint 10.1.0.9: port 0 is not 1 to 65535" },
        { "a large port", Assignment("a:80", Locality("a", 0, Endpoint("10.1.0.9", port: 65536))), "port 65536" },
        { "no weight", Assignment("a:80", Locality("a", 0, Endpoint("10.1.0.9", weight: 0))), "weight 0" },
        { "a large priority", Assignment("a:80", Locality("a", 129, Endpoint("10.1.0.9"))), "priority 129 is not 0 to 128" },
        { "no address", Assignment("a:80", Locality("a", 0, Number(2, 1))), "an endpoint has no address" },
        { "no name", Assignment("", Locality("a", 0, Endpoint("10.1.0.9"))), "a cluster without a name" },
        { "torn", Assignment("a:80", Locality("a", 0, Endpoint("10.1.0.9")))[..^3], "the message ends within" },
        { "no message", [0xFF, 0xFF, 0xFF], "the message ends within a number" },
    };

    [Theory]
    [MemberData(nameof(BadEndpoints))]
    public async Task BadEndpoints_AreRefusedWithTheReason_AndTheLastGoodOnesStay(string what, byte[] bad, string problem)
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await ClustersAsync(server, "1", "a:80", "b:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"), ("b:80", "10.1.0.2"));
        await using XdsSource source = await StartAsync(Spec(server));
        await UntilAsync(source, "a 10.1.0.1", "b 10.1.0.2");
        await server.SetAsync(AssignmentType, "2", Of(("b:80", Assignment("b:80", Locality("a", 0, Endpoint("10.1.0.3")))), ("a:80", bad)));
        await Patience.UntilAsync(() => server.Requests.Any(request => request.Problem is not null), $"{what} is refused");

        // By the letter: the nonce of what is refused, the version that is in force.
        XdsRequest refusal = server.Requests.First(request => request.Problem is not null);
        Assert.Contains(problem, refusal.Problem, StringComparison.Ordinal);
        Assert.Equal(("1", "2", AssignmentType), (refusal.Version, server.VersionOf(refusal.Nonce), refusal.Type));
        Assert.Equal("a:80 b:80", refusal.Names);
        Assert.Equal(["a 10.1.0.1", "b 10.1.0.2"], Addresses(source));
        Assert.Contains($"version 2 of ClusterLoadAssignment was refused: ", source.Status.Problem, StringComparison.Ordinal);

        await EndpointsAsync(server, "3", ("a:80", "10.1.0.4"), ("b:80", "10.1.0.5"));
        await UntilAsync(source, "a 10.1.0.4", "b 10.1.0.5");
        await Patience.UntilAsync(() => server.Requests[^1] is { Version: "3", Problem: null, Nonce.Length: > 0 } last && server.VersionOf(last.Nonce) == "3", "the good one is accepted");
    }

    public static TheoryData<Dictionary<string, byte[]>, string?, string> BadClusters => new()
    {
        { Of(("a:80", Cluster("a:80")), ("twice", Cluster("a:80"))), null, "cluster a:80 is there twice" },
        { Of(("a:80", Cluster(""))), null, "a cluster has no name" },
        { Of(("a:80", Join(Text(1, "a:80"), Number(2, 9)))), null, "cluster a:80: type 9" },
        { Of(("a:80", Cluster("a:80"))), "type.googleapis.com/envoy.config.listener.v3.Listener", "a resource of type \"type.googleapis.com/envoy.config.listener.v3.Listener\"" },
    };

    [Theory]
    [MemberData(nameof(BadClusters))]
    public async Task BadClusters_AreRefusedWithTheReason_AndTheLastGoodOnesStay(Dictionary<string, byte[]> bad, string? type, string problem)
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await ClustersAsync(server, "1", "a:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"));
        await using XdsSource source = await StartAsync(Spec(server));
        await UntilAsync(source, "a 10.1.0.1");
        await server.SetAsync(ClusterType, "2", bad, type);
        await Patience.UntilAsync(() => server.Requests.Any(request => request.Problem?.Contains(problem, StringComparison.Ordinal) == true), problem);
        Assert.Equal(["a 10.1.0.1"], Addresses(source));
        Assert.True(source.Status.IsStale);
        await ClustersAsync(server, "3", "a:80");
        await UntilAsync(source, "a 10.1.0.1");
    }

    /// <summary>Control planes tell proxies of listeners and routes, some without being asked: addresses are the mesh's to give, so these are neither accepted nor refused.</summary>
    [Theory]
    [InlineData("type.googleapis.com/envoy.config.listener.v3.Listener")]
    [InlineData("type.googleapis.com/envoy.config.route.v3.RouteConfiguration")]
    [InlineData("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret")]
    public async Task Resources_ThatWereNotAskedFor_ArePassedOverAndTheStreamGoesOn(string type)
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await ClustersAsync(server, "1", "a:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"));
        await using XdsSource source = await StartAsync(Spec(server));
        await UntilAsync(source, "a 10.1.0.1");
        await server.PushAsync(type, "1", Of(("x", Text(1, "x")), ("torn", [0xFF])));
        await EndpointsAsync(server, "2", ("a:80", "10.1.0.2"));
        await UntilAsync(source, "a 10.1.0.2");
        Assert.All(server.Requests, request => Assert.Equal((1, null, true), (request.Stream, request.Problem, request.Type is ClusterType or AssignmentType)));
        Assert.False(source.Status.IsStale);
    }

    [Fact]
    public async Task Outage_LeavesInForceWhatWasKnown_AndTheNextStreamBeginsWithTheVersion()
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await ClustersAsync(server, "1", "a:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"));
        await using XdsSource source = await StartAsync(Spec(server));
        await UntilAsync(source, "a 10.1.0.1");
        await Patience.UntilAsync(() => server.Requests.Length == 4, "all is answered");
        await server.StopAsync();
        await Patience.UntilAsync(() => source.Status.IsStale, "the loss is said");
        Assert.Equal(["a 10.1.0.1"], Addresses(source));
        await EndpointsAsync(server, "2", ("a:80", "10.1.0.2"));
        await server.StartAgainAsync();
        await UntilAsync(source, "a 10.1.0.2");
        XdsRequest[] again = [.. server.Requests.Where(request => request.Stream == 2)];
        Assert.Equal(new XdsRequest(2, ClusterType, "1", "", "", null, "gw1/edge"), again[0]);
        Assert.Equal(new XdsRequest(2, AssignmentType, "1", "", "a:80", null, ""), again[1]);
    }

    [Fact]
    public async Task Start_EndpointsThatNeverCome_DoNotKeepTheOthersAway()
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await ClustersAsync(server, "1", "a:80", "never:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"));
        await using XdsSource source = await StartAsync(Spec(server), fetch: TimeSpan.FromMilliseconds(50));
        await UntilAsync(source, "a 10.1.0.1");
        Assert.Equal(["a"], source.Snapshot.Services.Select(service => service.Name));
    }

    [Fact]
    public async Task Clusters_OfIstioAndStaticOnesAndOthers_AreUnderstoodOrSaid()
    {
        await using XdsServer server = await XdsServer.StartAsync();
        await server.SetAsync(ClusterType, "1", Of(
            ("1", StaticCluster("outbound|80||web.shop.svc.cluster.local", Locality("a", 0, Endpoint("10.1.0.1", 8080, health: 2)), Locality("b", 1, Endpoint("10.1.0.2", 8080)), Locality("c", 2, Endpoint("10.1.0.3", 8080)))),
            ("2", StaticCluster("outbound|53||web.shop.svc.cluster.local", Locality("a", 0, Endpoint("10.1.0.1", 5353, protocol: 1)))),
            ("3", StaticCluster("BlackHole.Cluster")),
            ("4", Join(Text(1, "dns:80"), Number(2, 1)))));
        await using XdsSource source = await StartAsync(Spec(server));
        await Patience.UntilAsync(() => source.Snapshot.Revision > 0, "the first word");
        MeshServiceSpec web = Assert.Single(source.Snapshot.Services);
        Assert.Equal(["p53 53 17", "p80 80 6"], web.Ports.Select(port => $"{port.Name} {port.Port} {port.Protocol}"));

        // The first priority that has somebody who is well; each endpoint at the port of its cluster and at no other.
        Assert.Equal(["10.1.0.1", "10.1.0.2"], source.Snapshot.Endpoints.Where(endpoint => endpoint.IsReady).Select(endpoint => endpoint.Address.ToString()));
        Assert.Equal([5353, 0], web.Ports.Select(port => (int)EndpointSelection.PortOf(web, port, source.Snapshot.Endpoints.First())));
        Assert.Equal([0, 8080], web.Ports.Select(port => (int)EndpointSelection.PortOf(web, port, source.Snapshot.Endpoints.ElementAt(1))));
        Assert.Equal(2, source.Status.LeftOut.Count);
        Assert.Contains(source.Status.LeftOut, text => text.StartsWith("cluster BlackHole.Cluster: its name means no service", StringComparison.Ordinal));
        Assert.Contains(source.Status.LeftOut, text => text.StartsWith("cluster dns:80: its endpoints are neither", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_AServerThatRefuses_IsSaidAndAskedAgain()
    {
        await using XdsServer server = await XdsServer.StartAsync();
        server.RefusedWith = "not%20for%20you";
        await using XdsSource source = await StartAsync(Spec(server));
        Assert.Contains("gRPC status 7: not for you", source.Status.Problem, StringComparison.Ordinal);
        await ClustersAsync(server, "1", "a:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"));
        server.RefusedWith = "";
        await UntilAsync(source, "a 10.1.0.1");
    }

    [Fact]
    public async Task Tls_AuthorityAndOwnCertificate_OfFilesThatAreReadForEachConnection()
    {
        using var domain = new TrustDomain();
        using var strangers = new TrustDomain();
        IdentitySpec own = domain.Issue("ns/edge/sa/gw1"), of = domain.Issue("ns/edge/sa/plane");
        domain.Authority.Issue(SpiffeId.Parse("spiffe://example.org/ns/edge/sa/plane"), of.Certificate, of.Key, TimeSpan.FromHours(1), "localhost");
        using X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(of.Certificate, of.Key);
        using X509Certificate2 served = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
        await using XdsServer server = await XdsServer.StartAsync(served);
        await ClustersAsync(server, "1", "a:80");
        await EndpointsAsync(server, "1", ("a:80", "10.1.0.1"));
        string authorities = domain.NewPath("ca.pem");
        File.Copy(strangers.Authority.BundlePath, authorities);
        MeshSourceSpec spec = Spec(server) with
        {
            Endpoints = [server.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal)],
            CertificateAuthority = authorities,
            Certificate = own.Certificate,
            Key = own.Key,
        };
        await using XdsSource source = await StartAsync(spec);
        Assert.True(source.Status.IsStale);
        Assert.Empty(server.Requests);
        File.Copy(domain.Authority.BundlePath, authorities, overwrite: true);
        await UntilAsync(source, "a 10.1.0.1");
        using X509Certificate2 shown = X509Certificate2.CreateFromPem(File.ReadAllText(own.Certificate));
        Assert.Equal([shown.Subject], server.Clients);
    }
}
