using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dataplane.Mesh.Sources;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>Names that change, fail and go: what nobody could say changes nothing, what is truly nothing empties.</summary>
public sealed class DnsSourceTests
{
    private static DnsSource Source(IPEndPoint server, params MeshLookupSpec[] lookups) => Source([server], TimeSpan.FromSeconds(20), lookups);

    private static DnsSource Source(IPEndPoint[] servers, TimeSpan patience, params MeshLookupSpec[] lookups) =>
        new(new MeshSourceSpec { Kind = MeshSourceKind.Dns, Servers = servers, Lookups = lookups }, TimeProvider.System, patience);

    private static string[] Endpoints(DnsSource source) => [.. source.Snapshot.Endpoints.Select(endpoint =>
        string.Create(CultureInfo.InvariantCulture, $"{endpoint.Address} {endpoint.Ports.GetValueOrDefault("")} {endpoint.Weight}")).Order(StringComparer.Ordinal)];

    private static Task UntilAsync(DnsSource source, string what, params string[] endpoints) => Patience.UntilAsync(() => Endpoints(source).SequenceEqual(endpoints), what);

    [Fact]
    public async Task Addresses_ChangeFailAndGo_OnlyATrueAnswerEmpties()
    {
        await using var server = new StandInNameServer();
        server.Put("db.test", "db.test 1 A 10.1.0.1", "db.test 1 A 10.1.0.2", "db.test 1 AAAA fd00::1");
        await using DnsSource source = Source(server.EndPoint, new MeshLookupSpec { Name = "db.test", Service = "db", Port = 5432, TargetPort = 5433 });
        await source.StartAsync(() => { }, CancellationToken.None);
        Assert.Equal(["10.1.0.1 0 1", "10.1.0.2 0 1", "fd00::1 0 1"], Endpoints(source));
        Assert.Equal(("default/db", "5433", 1L), (source.Snapshot.Services[0].Key, source.Snapshot.Services[0].Ports[0].TargetPort, source.Snapshot.Revision));
        Assert.False(source.Status.IsStale);

        server.Put("db.test", "db.test 1 A 10.1.0.3");
        await UntilAsync(source, "a change", "10.1.0.3 0 1");
        foreach (int broken in new[] { 2, 5, -2 })
        {
            server.Broken = broken;
            await Patience.UntilAsync(() => source.Status.IsStale, "a failure");
            Assert.Equal(["10.1.0.3 0 1"], Endpoints(source));
            server.Broken = 0;
            await Patience.UntilAsync(() => !source.Status.IsStale, "the end of a failure");
        }

        server.Put("db.test");
        await UntilAsync(source, "a name without addresses");
        server.Put("db.test", "db.test 1 A 10.1.0.4");
        await UntilAsync(source, "addresses again", "10.1.0.4 0 1");
        server.Remove("db.test");
        await UntilAsync(source, "a name that is gone");
        Assert.False(source.Status.IsStale);
        Assert.Single(source.Snapshot.Services);
    }

    [Fact]
    public async Task Srv_PortsWeightsAndPriorities_AreUsed()
    {
        await using var server = new StandInNameServer();
        server.Put("_api._tcp.test", "_api._tcp.test 1 SRV 10 3 8080 a.test", "_api._tcp.test 1 SRV 10 0 8081 b.test", "_api._tcp.test 1 SRV 20 1 9090 c.test");
        server.Put("a.test", "a.test 1 A 10.1.0.1");
        server.Put("b.test", "b.test 1 A 10.1.0.2");
        server.Put("c.test", "c.test 1 A 10.1.0.3");
        await using DnsSource source = Source(server.EndPoint, new MeshLookupSpec { Name = "_api._tcp.test", Service = "api", Port = 80 });
        await source.StartAsync(() => { }, CancellationToken.None);
        Assert.Equal(["10.1.0.1 8080 3", "10.1.0.2 8081 1"], Endpoints(source));
        server.Remove("a.test");
        await UntilAsync(source, "one of two", "10.1.0.2 8081 1");
        server.Remove("b.test");
        await UntilAsync(source, "the second choice", "10.1.0.3 9090 1");
    }

    [Fact]
    public async Task Aliases_InOneAnswerOrTwo_AreFollowed()
    {
        await using var server = new StandInNameServer();
        server.Put("www.test", "www.test 60 CNAME Mid.test", "mid.TEST 60 CNAME end.test", "end.test 60 A 10.1.0.1");
        server.Put("half.test", "half.test 60 CNAME end.test");
        server.Put("end.test", "end.test 60 A 10.1.0.2");
        server.Put("ring.test", "ring.test 60 CNAME ring.test");
        server.Put("far.test", "far.test 60 CNAME near.test");
        server.Put("near.test", "near.test 60 CNAME far.test");
        await using DnsSource source = Source(server.EndPoint, new MeshLookupSpec { Name = "www.test", Service = "a" }, new MeshLookupSpec { Name = "half.test", Service = "b" },
            new MeshLookupSpec { Name = "ring.test", Service = "c" }, new MeshLookupSpec { Name = "far.test", Service = "d" });
        await source.StartAsync(() => { }, CancellationToken.None);
        Assert.Equal(["10.1.0.1 0 1", "10.1.0.2 0 1"], Endpoints(source));
        Assert.Empty(source.Snapshot.Services);
        Assert.Contains("aliases lead on and on", source.Status.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_CutShort_IsAskedForOverTcp_AndASecondServerIsAskedWhenTheFirstIsSilent()
    {
        await using var silent = new StandInNameServer { Broken = -1 };
        await using var server = new StandInNameServer { IsCut = true };
        server.Put("many.test", [.. Enumerable.Range(1, 200).Select(host => string.Create(CultureInfo.InvariantCulture, $"many.test 60 A 10.1.1.{host}"))]);
        await using DnsSource source = Source([silent.EndPoint, server.EndPoint], TimeSpan.FromSeconds(1), new MeshLookupSpec { Name = "many.test", Service = "many" });
        await source.StartAsync(() => { }, CancellationToken.None);
        await Patience.UntilAsync(() => source.Snapshot.Endpoints.Count == 200, "200 addresses");
        Assert.True(Volatile.Read(ref silent.Queries) > 0);
    }

    [Fact]
    public async Task Start_NobodyThere_IsSaid()
    {
        await using var silent = new StandInNameServer { Broken = -1 };
        silent.Put("db.test", "db.test 60 A 10.1.0.1");
        await using DnsSource source = Source([silent.EndPoint], TimeSpan.FromSeconds(1), new MeshLookupSpec { Name = "db.test", Service = "db", Port = 1 });
        await source.StartAsync(() => { }, CancellationToken.None);
        Assert.True(source.Status.IsStale);
        Assert.Null(source.Status.LastHeard);
        Assert.Empty(source.Snapshot.Endpoints);
        silent.Broken = 0;
        await UntilAsync(source, "somebody is there", "10.1.0.1 0 1");
        await Patience.UntilAsync(() => !source.Status.IsStale, "in step");
    }

    [UnboundFact]
    public async Task Unbound_AnswersAreUnderstood()
    {
        using var folder = new TemporaryFolder();
        int port = FreePort();
        File.WriteAllText(folder["unbound.conf"], string.Create(CultureInfo.InvariantCulture, $"""
            server:
              interface: 127.0.0.1@{port}
              do-daemonize: no
              username: ""
              chroot: ""
              directory: "{folder["."]}"
              pidfile: "{folder["pid"]}"
              use-syslog: no
              verbosity: 0
              do-ip6: no
              local-zone: "test." static
              local-data: "db.test. 60 IN A 10.1.0.1"
              local-data: "db.test. 60 IN AAAA fd00::1"
              local-data: "_api._tcp.test. 60 IN SRV 10 5 8080 db.test."
            remote-control:
              control-enable: no
            """));
        using Process unbound = Process.Start(new ProcessStartInfo(UnboundFactAttribute.Program!, ["-d", "-c", folder["unbound.conf"]]) { RedirectStandardError = true })!;
        unbound.BeginErrorReadLine();
        try
        {
            await using DnsSource source = Source(new IPEndPoint(IPAddress.Loopback, port), new MeshLookupSpec { Name = "db.test", Service = "db" },
                new MeshLookupSpec { Name = "_api._tcp.test", Service = "api" }, new MeshLookupSpec { Name = "nowhere.test", Service = "none" });
            await source.StartAsync(() => { }, CancellationToken.None);
            await Patience.UntilAsync(() => !source.Status.IsStale, "unbound answers");
            Assert.Equal(["10.1.0.1 0 1", "10.1.0.1 8080 5", "fd00::1 0 1", "fd00::1 8080 5"], Endpoints(source));
        }
        finally
        {
            unbound.Kill();
            await unbound.WaitForExitAsync();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
