using System.Net;
using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Registration;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Registration;

/// <summary>A registry followed from elsewhere: by relays, which do not open it, and by other gateways.</summary>
public sealed class RegistryFollowerTests : IAsyncLifetime
{
    private RegistrationServer _server = ServerAt(0);

    public Task InitializeAsync() => _server.StartAsync(() => { }, CancellationToken.None);

    public async Task DisposeAsync() => await _server.DisposeAsync();

    private static RegistrationServer ServerAt(int port, string tokenFile = "") => new(new IPEndPoint(IPAddress.Loopback, port), tokenFile, TimeProvider.System);

    private static EndpointRegistration Endpoint(int host, int lease = 60) => new()
    {
        Address = $"10.1.0.{host}",
        Ports = new Dictionary<string, int> { [""] = 8080 },
        LeaseSeconds = lease,
        ServicePorts = [new ServicePortRegistration { Port = 80 }],
    };

    private static string Text(SourceSnapshot snapshot) => string.Join('\n', snapshot.Services.Select(service => $"{service.Key} {service.Kind} {string.Join(' ', service.Ports.Select(port => port.Port))}")
        .Concat(snapshot.Endpoints.Select(endpoint => $"{endpoint.Namespace}/{endpoint.Service}/{endpoint.Name} {endpoint.Address} {endpoint.Weight}")));

    private async Task<RegistryFollower> FollowAsync(string tokenFile = "")
    {
        var follower = new RegistryFollower([_server.Address!.ToString()], tokenFile, TimeProvider.System);
        await follower.StartAsync(() => { }, CancellationToken.None);
        return follower;
    }

    [Fact]
    public async Task Follow_WhatIsRegisteredAndTakenOut_IsKnownHere()
    {
        using var client = new MeshClient(_server.Address!);
        await client.DefineAsync("db", new ServiceRegistration { Ports = [new ServicePortRegistration { Port = 5432 }] }, "data");
        MeshLease first = await client.RegisterAsync("web", "a", Endpoint(11));
        await using RegistryFollower follower = await FollowAsync();
        await MeshFixture.UntilAsync(() => Text(follower.Snapshot) == Text(_server.Snapshot) && follower.Snapshot.Services.Count == 2, "what was there before");

        await using MeshLease second = await client.RegisterAsync("shop", "b", Endpoint(12));
        await MeshFixture.UntilAsync(() => Text(follower.Snapshot) == Text(_server.Snapshot), "one that comes");
        EndpointGroup shop = follower.Snapshot.Endpoints.Find("default/shop")!;
        await first.ChangeAsync(Endpoint(11) with { Weight = 7 });
        await MeshFixture.UntilAsync(() => follower.Snapshot.Endpoints.First(endpoint => endpoint.Service == "web").Weight == 7, "one that changes");
        Assert.Same(shop, follower.Snapshot.Endpoints.Find("default/shop"));
        await first.DisposeAsync();
        await MeshFixture.UntilAsync(() => Text(follower.Snapshot) == Text(_server.Snapshot) && follower.Snapshot.Endpoints.Count == 1, "one that goes");
        Assert.False(follower.Status.IsStale);
    }

    [Fact]
    public async Task Follow_ARegistryThatIsStartedAnew_KeepsEndpointsUntilTheyHaveRegisteredAgainOrTheirLeaseIsOver()
    {
        using (var client = new MeshClient(_server.Address!))
        {
            await client.RegisterAsync("web", "stays", Endpoint(11));
            await client.RegisterAsync("web", "went", Endpoint(12, lease: 1));
        }

        await using RegistryFollower follower = await FollowAsync();
        await MeshFixture.UntilAsync(() => follower.Snapshot.Endpoints.Count == 2, "both");
        int port = _server.Address!.Port;
        await _server.DisposeAsync();
        await MeshFixture.UntilAsync(() => follower.Status.IsStale, "nobody answers");
        Assert.Equal(2, follower.Snapshot.Endpoints.Count);

        _server = ServerAt(port);
        await _server.StartAsync(() => { }, CancellationToken.None);
        await MeshFixture.UntilAsync(() => !follower.Status.IsStale, "the new one answers");
        Assert.Contains(follower.Snapshot.Endpoints, endpoint => endpoint.Name == "stays");
        await MeshFixture.UntilAsync(() => follower.Snapshot.Endpoints.Count == 1, "the end of a lease");
        using var again = new MeshClient(_server.Address!);
        await using MeshLease lease = await again.RegisterAsync("web", "stays", Endpoint(11) with { Weight = 3 });
        await MeshFixture.UntilAsync(() => follower.Snapshot.Endpoints.Single().Weight == 3, "it has registered again");
    }

    /// <summary>Somebody who never ends a line is given up when the line is longer than any may be, not when there is no memory left.</summary>
    [Fact]
    public async Task Follow_AServerThatNeverEndsALine_IsGivenUpByName()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        long sent = 0;
        Task serving = Task.Run(async () =>
        {
            using System.Net.Sockets.TcpClient connection = await listener.AcceptTcpClientAsync();
            await using System.Net.Sockets.NetworkStream stream = connection.GetStream();
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"u8.ToArray());
            byte[] spaces = [.. Enumerable.Repeat((byte)' ', 1 << 20)];
            try
            {
                for (; sent < 40L * RegistryFollower.MaxLineBytes; sent += spaces.Length)
                {
                    await stream.WriteAsync(spaces);
                }
            }
            catch (IOException)
            {
                // It has been given up.
            }
        });
        await using var follower = new RegistryFollower([$"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"], "", TimeProvider.System);
        await follower.StartAsync(() => { }, CancellationToken.None);
        await MeshFixture.UntilAsync(() => follower.Status.Problem.Contains("line_too_long", StringComparison.Ordinal), "the end of patience");
        await serving;
        Assert.InRange(sent, 1, 4L * RegistryFollower.MaxLineBytes);
    }

    [Fact]
    public async Task Follow_WithoutTheWord_IsSaidUntilTheFileHasIt()
    {
        using var folder = new TemporaryFolder();
        string file = folder["word"], other = folder["other"];
        await File.WriteAllTextAsync(file, "sesame\n");
        await File.WriteAllTextAsync(other, "wrong\n");
        await _server.DisposeAsync();
        _server = ServerAt(0, file);
        await _server.StartAsync(() => { }, CancellationToken.None);
        await using RegistryFollower follower = await FollowAsync(other);
        Assert.Contains("status 401: its word is needed", follower.Status.Problem, StringComparison.Ordinal);
        await File.WriteAllTextAsync(other, "sesame\n");
        await MeshFixture.UntilAsync(() => !follower.Status.IsStale, "the right word");
    }

    /// <summary>Whatever was missed, what is told since then makes up for it: against the registry itself.</summary>
    [Fact]
    public async Task NewsSince_AnyRevision_BringsWhoHasItUpToDate()
    {
        var random = new Random(5);
        var registry = new Registry(TimeProvider.System);
        await using var follower = new RegistryFollower(["http://nobody.example"], "", TimeProvider.System);
        (string instance, long revision) = ("", 0);
        int whole = 0;
        for (int round = 0; round < 300; round++)
        {
            int steps = round == 200 ? 25_000 : random.Next(20);
            for (int step = 0; step < steps; step++)
            {
                (string service, string id) = ($"s{random.Next(5)}", $"e{random.Next(8)}");
                switch (random.Next(5))
                {
                    case 0:
                        registry.Remove("default", service, id);
                        break;
                    case 1:
                        registry.Define("default", service, new ServiceRegistration { Ports = [new ServicePortRegistration { Port = random.Next(1, 4) }] });
                        break;
                    case 2:
                        registry.Undefine("default", service);
                        break;
                    default:
                        registry.Put("default", service, id, Endpoint(random.Next(1, 250)) with { ServicePorts = random.Next(2) == 0 ? [] : [new ServicePortRegistration { Port = random.Next(1, 4) }] });
                        break;
                }
            }

            (IReadOnlyList<RegistryNews> lines, Task next) = registry.NewsSince(instance, revision);
            Assert.False(next.IsCompleted);
            if (lines.Count > 0)
            {
                whole += lines[0].IsWhole ? 1 : 0;
                follower.Take(lines);
                (instance, revision) = (lines[^1].Instance, lines[^1].Revision);
            }

            Assert.Equal(Text(registry.ToSnapshot()), Text(follower.Snapshot));
        }

        // At the beginning, and when more had happened than is kept.
        Assert.Equal(2, whole);
    }

    [Fact]
    public void NewsSince_ThousandsOfParts_AreLinesThatBelongTogether()
    {
        var registry = new Registry(TimeProvider.System);
        for (int number = 0; number < 2500; number++)
        {
            registry.Put("default", "web", $"e{number}", Endpoint(1 + (number % 250)));
        }

        IReadOnlyList<RegistryNews> lines = registry.NewsSince("", 0).Lines;
        Assert.Equal([(true, true, 1000), (false, true, 1000), (false, false, 500)], lines.Select(line => (line.IsWhole, line.IsMore, line.Endpoints.Count)));
    }

    /// <summary>The file of the gateway says where the registry listens; a relay with the same file asks it.</summary>
    [Fact]
    public async Task ExpandRelay_EndpointsThatRegisterThemselves_AreKnownToRelays()
    {
        string yaml = $$"""
            mesh:
              domain: mesh.example
              addresses: [ 10.96.0.0/16 ]
              relay: { outbound: 10.1.0.13, trust_domain: example.org }
              services: [ { name: bank, namespace: shop, tls: mutual, ports: [ { port: 80 } ] } ]
              sources: [ { kind: registration, listen: "127.0.0.1:{{_server.Address!.Port}}" } ]
            """;
        (DataplaneSpec spec, MeshSpec file) = (new DataplaneSpec(), MeshFixture.Mesh(yaml));
        await using var mesh = new MeshRuntime(TimeProvider.System);
        using var client = new MeshClient(_server.Address!);
        await using MeshLease lease = await client.RegisterAsync("bank", "b-1", Endpoint(11) with { ServicePorts = [] }, "shop");
        await mesh.StartAsync(spec, file, isRegistryOpened: false);
        string[] Relays()
        {
            mesh.Expand(spec, file);
            var relay = new RelaySpec { Identity = new IdentitySpec { Certificate = "c", Key = "k", Bundles = new Dictionary<string, string>() }, Mesh = new RelayMeshSpec { File = "gateway.yaml", Outbound = true } };
            return [.. mesh.ExpandRelay(relay).Listeners.SelectMany(listener => listener.Routes).SelectMany(route => route.Endpoints).Select(endpoint => endpoint.Address!.ToString())];
        }

        Assert.Equal(["10.1.0.11:15008"], Relays());
        int changes = 0;
        mesh.Changed += () => Interlocked.Increment(ref changes);
        await using MeshLease another = await client.RegisterAsync("bank", "b-2", Endpoint(12) with { ServicePorts = [] }, "shop");
        await MeshFixture.UntilAsync(() => Volatile.Read(ref changes) > 0, "the change");
        Assert.Equal(["10.1.0.11:15008", "10.1.0.12:15008"], Relays());
    }

    [Theory]
    [InlineData("{ kind: registration }", "mesh.sources[0].listen")]
    [InlineData("{ kind: registration, listen: here }", "mesh.sources[0].listen")]
    [InlineData("{ kind: registration, members: [ 10.1.0.1:7070 ] }", "mesh.sources[0].members")]
    public void Read_Wrong_IsSaidAtItsPlace(string source, string path)
    {
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Parse($"mesh:\n  domain: mesh.example\n  sources: [ {source} ]\n", "x", new MeshRuntime(TimeProvider.System).Expand).Errors;
        Assert.Contains(path, errors.Select(error => error.Path));
    }

    [Fact]
    public void Read_ARegistryElsewhere_IsFollowedAndNotOpened()
    {
        MeshSourceSpec source = Assert.Single(MeshFixture.Mesh("mesh:\n  domain: mesh.example\n  sources: [ { kind: registration, members: [ \"http://10.1.0.1:7070\" ] } ]\n").Sources);
        Assert.Empty(source.Endpoints);
        Assert.Equal(["http://10.1.0.1:7070"], source.Registries);
    }
}
