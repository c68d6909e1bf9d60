using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Kubernetes;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Kubernetes;

/// <summary>What is known is what the server has, after everything that happens to lists and watches; and lists are not asked for where a watch can go on.</summary>
public sealed class KubernetesSourceTests
{
    private const string Web = """{"clusterIP":"10.96.0.10","ports":[{"name":"http","port":80,"targetPort":8080}]}""";

    private static readonly KubernetesTimings s_fast = new()
    {
        MinDelay = TimeSpan.FromMilliseconds(5),
        MaxDelay = TimeSpan.FromMilliseconds(50),
        ShortWatch = TimeSpan.Zero,
        Gather = TimeSpan.FromMilliseconds(5),
    };

    private static KubernetesSource Source(MeshSourceSpec spec, KubernetesTimings? timings = null) => new(spec, TimeProvider.System, timings ?? s_fast);

    private static MeshSourceSpec At(ApiServer server) => new() { Kind = MeshSourceKind.Kubernetes, Api = server.Url };

    private static Task UntilAsync(KubernetesSource source, string what, params string[] addresses) => Patience.UntilAsync(
        () => source.Snapshot.Endpoints.Select(endpoint => endpoint.Address.ToString()).Order(StringComparer.Ordinal).SequenceEqual(addresses.Order(StringComparer.Ordinal)), what);

    /// <summary>A server with one service and one endpoint, and a source that watches both collections.</summary>
    private static async Task<(ApiServer Server, KubernetesSource Source)> BeginAsync(KubernetesTimings? timings = null, Action<ApiServer>? prepare = null)
    {
        ApiServer server = await ApiServer.StartAsync();
        server.PutService("web", Web);
        server.PutSlice("web", "web-1", "10.1.0.1");
        prepare?.Invoke(server);
        KubernetesSource source = Source(At(server), timings);
        await source.StartAsync(() => { }, CancellationToken.None);
        await UntilAsync(source, "what is there first", "10.1.0.1");
        await Patience.UntilAsync(() => server.OpenWatches == 2, "watches");
        return (server, source);
    }

    [Fact]
    public async Task Objects_ComeChangeAndGo_AreAsTheServerHasThem()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        MeshServiceSpec web = Assert.Single(source.Snapshot.Services);
        Assert.Equal(("default/web", true, 80, "8080", "10.96.0.10"), (web.Key, web.IsKubernetes, (int)web.Ports[0].Port, web.Ports[0].TargetPort, web.Addresses[0].ToString()));
        Assert.Equal(8080, source.Snapshot.Endpoints.First().Ports["http"]);
        Assert.Equal(("", false), (source.Status.Problem, source.Status.IsStale));

        server.PutSlice("web", "web-2", "10.1.0.2", "10.1.0.3");
        await UntilAsync(source, "a new slice", "10.1.0.1", "10.1.0.2", "10.1.0.3");
        server.PutSlice("web", "web-2", "10.1.0.3");
        await UntilAsync(source, "a changed slice", "10.1.0.1", "10.1.0.3");
        server.Delete("endpointslices", "default/web-1");
        await UntilAsync(source, "a slice that is gone", "10.1.0.3");
        server.Delete("services", "default/web");
        server.Delete("endpointslices", "default/web-2");
        await Patience.UntilAsync(() => source.Snapshot is { Services.Count: 0, Endpoints.Count: 0 }, "a true empty answer");
        Assert.False(source.Status.IsStale);
        Assert.Equal(2, server.Lists);
    }

    [Fact]
    public async Task List_OfManyPages_IsOfOneMoment()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync(prepare: server =>
        {
            server.Delete("endpointslices", "default/web-1");
            server.PutSlice("web", "a", "10.1.0.1");
            for (int i = 0; i < 1100; i++)
            {
                server.PutService(string.Create(CultureInfo.InvariantCulture, $"s{i}"), Web);
            }
        });
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        Assert.Equal(1101, source.Snapshot.Services.Count);
        Assert.Equal(4, server.Pages);
    }

    [Fact]
    public async Task List_ForgottenBetweenPages_IsAskedForInOnePage()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync(prepare: server =>
        {
            server.ForgetsPages = true;
            for (int i = 0; i < 600; i++)
            {
                server.PutService(string.Create(CultureInfo.InvariantCulture, $"s{i}"), Web);
            }
        });
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        Assert.Equal(601, source.Snapshot.Services.Count);
        Assert.Equal((3, 3), (server.Lists, server.Pages));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Watch_FromAForgottenVersion_ListsAgain(bool isByStatus)
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        server.IsGoneByStatus = isByStatus;
        server.SilenceWatches();
        server.PutSlice("web", "web-2", "10.1.0.2");
        server.Delete("endpointslices", "default/web-1");
        server.Compact();

        // What happened is in no watch any more, the silent ones end with their connections: only a list can tell.
        await server.StopAsync();
        await server.StartAgainAsync();
        await UntilAsync(source, "what a list tells", "10.1.0.2");
        Assert.True(server.Lists > 2);
        server.PutSlice("web", "web-3", "10.1.0.3");
        await UntilAsync(source, "a change after it", "10.1.0.2", "10.1.0.3");
    }

    [Fact]
    public async Task Watch_GoneAsAnEvent_ListsAgain()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        server.Fail(410);
        await Patience.UntilAsync(() => server.Lists == 4, "both lists again");
        server.PutSlice("web", "web-2", "10.1.0.2");
        await UntilAsync(source, "a change after it", "10.1.0.1", "10.1.0.2");
        Assert.False(source.Status.IsStale);
    }

    [Fact]
    public async Task Watch_OtherErrorAsAnEvent_GoesOnWithoutAList()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        server.Fail(500);
        await Patience.UntilAsync(() => server.WatchesBegun >= 4, "watches again");
        server.PutSlice("web", "web-2", "10.1.0.2");
        await UntilAsync(source, "a change after it", "10.1.0.1", "10.1.0.2");
        await Patience.UntilAsync(() => !source.Status.IsStale, "in step again");
        Assert.Equal(2, server.Lists);
    }

    [Fact]
    public async Task Stream_EndsWithoutAWord_GoesOnFromTheLastVersion()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        server.EndWatches();
        server.PutSlice("web", "web-2", "10.1.0.2");
        await UntilAsync(source, "a change while nobody watched", "10.1.0.1", "10.1.0.2");
        server.CutWatches();
        server.PutSlice("web", "web-3", "10.1.0.3");
        await UntilAsync(source, "after a line that was cut off", "10.1.0.1", "10.1.0.2", "10.1.0.3");
        server.AbortWatches();
        server.Delete("endpointslices", "default/web-1");
        await UntilAsync(source, "after a connection that was reset", "10.1.0.2", "10.1.0.3");
        Assert.Equal(2, server.Lists);
    }

    [Fact]
    public async Task Bookmark_TellsWhereToGoOn_WhenAllBeforeItIsForgotten()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        DateTimeOffset heard = source.Status.LastHeard!.Value;
        server.PutService("other", Web);
        server.Bookmark();
        server.Compact();
        await Patience.UntilAsync(() => source.Snapshot.Services.Count == 2 && source.Status.LastHeard > heard, "a bookmark is heard");
        server.PutSlice("web", "web-2", "10.1.0.2");
        await UntilAsync(source, "both collections are behind the bookmark", "10.1.0.1", "10.1.0.2");
        server.EndWatches();
        await Patience.UntilAsync(() => server.WatchesBegun >= 4 && server.OpenWatches == 2, "watches again");
        server.PutSlice("web", "web-3", "10.1.0.3");
        await UntilAsync(source, "a change after it", "10.1.0.1", "10.1.0.2", "10.1.0.3");
        Assert.Equal(2, server.Lists);
    }

    [Fact]
    public async Task Stream_SilentForTooLong_IsBegunAgain()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync(s_fast with { Idle = TimeSpan.FromMilliseconds(300) });
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        server.SilenceWatches();
        server.PutSlice("web", "web-2", "10.1.0.2");
        await UntilAsync(source, "a change that the dead streams never told", "10.1.0.1", "10.1.0.2");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(97)]
    public async Task Events_InPieces_AreWhole(int bytes)
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync(prepare: server => server.PieceBytes = bytes);
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        server.PutSlice("web", "web-2", "10.1.0.2");
        server.PutService("größer", Web);
        server.PutSlice("web", "web-3", "10.1.0.3");
        await UntilAsync(source, "events in pieces", "10.1.0.1", "10.1.0.2", "10.1.0.3");
        await Patience.UntilAsync(() => source.Status.LeftOut.Count == 1, "a name that is none");
        Assert.Contains("größer", source.Status.LeftOut[0], StringComparison.Ordinal);
        Assert.Equal((2, 2), (server.Lists, server.WatchesBegun));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(503)]
    [InlineData(429)]
    [InlineData(403)]
    public async Task Outage_LastGoodStays_AndAllIsThereAfterIt(int code)
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        if (code == 0)
        {
            await server.StopAsync();
        }
        else
        {
            server.Broken = code;
            server.AbortWatches();
        }

        await Patience.UntilAsync(() => source.Status.IsStale, "the outage");
        Assert.Single(source.Snapshot.Endpoints);
        await Patience.UntilAsync(() => code == 0 || source.Status.Problem.Contains(code.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal), "what the server says");
        server.PutSlice("web", "web-2", "10.1.0.2");
        server.Delete("endpointslices", "default/web-1");
        server.Broken = 0;
        if (code == 0)
        {
            await server.StartAgainAsync();
        }

        await UntilAsync(source, "what happened meanwhile", "10.1.0.2");
        await Patience.UntilAsync(() => !source.Status.IsStale, "in step again");
    }

    [Fact]
    public async Task Start_NobodyThere_IsSaidAndNothingTold()
    {
        await using KubernetesSource source = Source(new MeshSourceSpec { Kind = MeshSourceKind.Kubernetes, Api = "http://127.0.0.1:1" });
        await source.StartAsync(() => { }, CancellationToken.None);
        Assert.True(source.Status.IsStale);
        Assert.Equal(0, source.Snapshot.Revision);
    }

    [Fact]
    public async Task Namespaces_AreFollowedAlone()
    {
        await using ApiServer server = await ApiServer.StartAsync();
        server.PutService("web", Web);
        server.PutService("web", Web, "shop");
        server.PutService("web", Web, "bank");
        await using KubernetesSource source = Source(At(server) with { Namespaces = ["shop", "bank"] });
        await source.StartAsync(() => { }, CancellationToken.None);
        await Patience.UntilAsync(() => source.Snapshot.Services.Count == 2 && server.OpenWatches == 4, "two name spaces");
        server.PutService("more", Web, "bank");
        server.PutService("more", Web);
        await Patience.UntilAsync(() => source.Snapshot.Services.Count == 3, "a change in one of them");
        Assert.DoesNotContain(source.Snapshot.Services, service => service.Namespace == "default");
    }

    [Fact]
    public async Task BadObjects_AreLeftOut_TheSourceIsInStep()
    {
        (ApiServer server, KubernetesSource source) = await BeginAsync();
        await using ApiServer _ = server;
        await using KubernetesSource __ = source;
        server.PutService("odd", """{"type":"Magic"}""");
        server.Put("Service", "default", "empty", new JsonObject { ["spec"] = null });
        server.PutSlice("web", "web-2", "10.1.0.300", "10.1.0.2");
        await UntilAsync(source, "the good ones", "10.1.0.1", "10.1.0.2");
        await Patience.UntilAsync(() => source.Status.LeftOut.Count == 2, "the bad ones are told");
        Assert.Equal(["EndpointSlice default/web-2: \"10.1.0.300\" is not an address", "Service default/odd: service odd: type Magic is not ClusterIP, NodePort, LoadBalancer or ExternalName"],
            source.Status.LeftOut.Order(StringComparer.Ordinal));
        Assert.False(source.Status.IsStale);
        server.Delete("services", "default/odd");
        await Patience.UntilAsync(() => source.Status.LeftOut.Count == 1, "a bad one goes");
    }

    [Fact]
    public async Task Tls_AuthorityAndToken_OfTheFileOfKubectl()
    {
        using var domain = new TrustDomain();
        using var strangers = new TrustDomain("strangers.example");
        using var folder = new TemporaryFolder();
        IdentitySpec own = domain.Issue("ns/kube/sa/api");
        using var pem = X509Certificate2.CreateFromPemFile(own.Certificate, own.Key);
        await using ApiServer server = await ApiServer.StartAsync(pem);
        server.Token = "first";
        server.PutService("web", Web);
        File.WriteAllText(folder["token"], "first\n");
        string Config(string authority) => $$"""
            apiVersion: v1
            kind: Config
            current-context: here
            contexts: [ { name: here, context: { cluster: c, user: u } } ]
            clusters: [ { name: c, cluster: { server: "{{server.Url}}", certificate-authority: {{authority}}, tls-server-name: web.test } } ]
            users: [ { name: u, user: { tokenFile: token } } ]
            """;
        File.WriteAllText(folder["config"], Config(strangers.Authority.BundlePath));
        await using KubernetesSource source = Source(new MeshSourceSpec { Kind = MeshSourceKind.Kubernetes, Kubeconfig = folder["config"] });
        await source.StartAsync(() => { }, CancellationToken.None);
        Assert.True(source.Status.IsStale);
        Assert.Empty(server.Protocols);

        // Files are read again for each try.
        File.WriteAllText(folder["config"], Config(domain.Authority.BundlePath));
        await Patience.UntilAsync(() => source.Snapshot.Services.Count == 1, "the right authority");

        await Patience.UntilAsync(() => server.OpenWatches == 2, "watches");
        Assert.Equal("HTTP/2", Assert.Single(server.Protocols));
        server.Token = "second";
        server.AbortWatches();
        await Patience.UntilAsync(() => source.Status.Problem.Contains("401", StringComparison.Ordinal), "a token that has ended");
        File.WriteAllText(folder["token"], "second");
        await Patience.UntilAsync(() => !source.Status.IsStale, "a token that was renewed");
    }
}
