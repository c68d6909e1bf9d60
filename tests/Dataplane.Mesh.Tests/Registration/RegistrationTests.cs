using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Dataplane.Mesh.Registration;
using Dataplane.Mesh.Services;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Dataplane.Mesh.Tests.Registration;

/// <summary>The registry over real HTTP: registering, renewing, running out, and what is refused.</summary>
public sealed class RegistrationTests : IAsyncLifetime, IDisposable
{
    private readonly RegistrationServer _server = new(new IPEndPoint(IPAddress.Loopback, 0), "", TimeProvider.System);
    private readonly HttpClient _http = new();
    private int _changes;

    public async Task InitializeAsync()
    {
        await _server.StartAsync(() => Interlocked.Increment(ref _changes), CancellationToken.None);
        _http.BaseAddress = _server.Address;
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose() => _http.Dispose();

    private static EndpointRegistration Endpoint(int lease = 60) => new()
    {
        Address = "10.1.0.11",
        Ports = new Dictionary<string, int> { ["http"] = 8080 },
        LeaseSeconds = lease,
        ServicePorts = [new ServicePortRegistration { Name = "http", Port = 80 }],
    };

    [Fact]
    public async Task Register_AnEndpoint_MakesItsServiceAndEndsWithItsLease()
    {
        using var client = new MeshClient(_server.Address!);
        await using (MeshLease lease = await client.RegisterAsync("web", "web-1", Endpoint()))
        {
            MeshServiceSpec service = Assert.Single(_server.Snapshot.Services);
            MeshEndpointSpec endpoint = Assert.Single(_server.Snapshot.Endpoints);
            Assert.Equal(("default/web", "10.1.0.11", 8080), (service.Key, endpoint.Address.ToString(), EndpointSelection.PortOf(service, service.Ports[0], endpoint)));
            Assert.Equal("web-1", Assert.Single((await client.ListAsync()).Endpoints).Id);
            await lease.ChangeAsync(Endpoint() with { Ready = false });
            Assert.False(Assert.Single(_server.Snapshot.Endpoints).IsReady);
        }

        Assert.Empty(_server.Snapshot.Endpoints);
        Assert.Equal(3, Volatile.Read(ref _changes));
    }

    [Theory]
    [InlineData("Host", "evil.example", HttpStatusCode.Forbidden)]
    [InlineData("Host", "evil.example:7070", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "null", HttpStatusCode.Forbidden)]
    [InlineData("Host", "localhost:7070", HttpStatusCode.Created)]
    [InlineData("Host", "[::1]:7070", HttpStatusCode.Created)]
    [InlineData("Host", "127.0.0.1", HttpStatusCode.Created)]
    public async Task Register_ByAPageInABrowser_IsRefused(string header, string value, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, "/v1/namespaces/default/services/web/endpoints/a")
        {
            Content = JsonContent.Create(Endpoint(), MeshJson.Default.EndpointRegistration),
        };
        request.Headers.Add(header, value);
        Assert.Equal(expected, (await _http.SendAsync(request)).StatusCode);
        Assert.Equal(expected == HttpStatusCode.Created ? 1 : 0, _server.Snapshot.Endpoints.Count);
    }

    [Fact]
    public async Task Lease_WithoutHeartbeat_RunsOut()
    {
        HttpResponseMessage put = await _http.PutAsJsonAsync("/v1/namespaces/default/services/web/endpoints/a", Endpoint(lease: 1), MeshJson.Default.EndpointRegistration);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        await MeshFixture.UntilAsync(() => _server.Snapshot.Endpoints.Count == 0, "the end of the lease");
        Assert.Equal(HttpStatusCode.NotFound, (await _http.PostAsync(new Uri("/v1/namespaces/default/services/web/endpoints/a/heartbeat", UriKind.Relative), null)).StatusCode);
    }

    [Fact]
    public async Task Lease_OfTheClient_OutlivesItsSecondsAndARegistryThatForgets()
    {
        using var client = new MeshClient(_server.Address!);
        await using MeshLease lease = await client.RegisterAsync("web", "web-1", Endpoint(lease: 1));
        await Task.Delay(2500);

        // On a busy machine a heartbeat may come too late; then it registers again.
        await MeshFixture.UntilAsync(() => _server.Snapshot.Endpoints.Count == 1, "the lease goes on");
        await _http.DeleteAsync(new Uri("/v1/namespaces/default/services/web/endpoints/web-1", UriKind.Relative));
        await MeshFixture.UntilAsync(() => _server.Snapshot.Endpoints.Count == 1, "registering again");
    }

    [Fact]
    public async Task Define_AService_CountsBeforeWhatEndpointsSay()
    {
        using var client = new MeshClient(_server.Address!);
        await client.DefineAsync("web", new ServiceRegistration { Kind = "load_balancer", Balance = "round_robin", Ports = [new ServicePortRegistration { Port = 8000 }] });
        await using MeshLease lease = await client.RegisterAsync("web", "web-1", Endpoint());
        MeshServiceSpec service = Assert.Single(_server.Snapshot.Services);
        Assert.Equal((MeshServiceKind.LoadBalancer, 8000), (service.Kind, service.Ports[0].Port));
    }

    [Theory]
    [InlineData("web", "{}", "address \"\"")]
    [InlineData("web", """{"address":"10.0.0.300"}""", "address \"10.0.0.300\"")]
    [InlineData("web", """{"address":"10.0.0.3","ports":{"a":0}}""", "ports.a: 0")]
    [InlineData("web", """{"address":"10.0.0.3","weight":-1}""", "weight: -1")]
    [InlineData("web", """{"address":"10.0.0.3","leaseSeconds":0}""", "leaseSeconds: 0")]
    [InlineData("web", """{"address":"10.0.0.3","servicePorts":[{"port":1,"protocol":"x"}]}""", "servicePorts[0].protocol")]
    [InlineData("web", """{"address":"10.0.0.3","colour":1}""", "colour")]
    [InlineData("web", "null", "the body is null")]
    [InlineData("web", "[", "")]
    [InlineData("a b", """{"address":"10.0.0.3"}""", "service \"a b\"")]
    public async Task Register_Wrong_IsRefusedWithTheReason(string service, string body, string problem)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        HttpResponseMessage response = await _http.PutAsync(new Uri($"/v1/namespaces/default/services/{Uri.EscapeDataString(service)}/endpoints/a", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(problem, (await response.Content.ReadFromJsonAsync(MeshJson.Default.RegistrationProblem))!.Error, StringComparison.Ordinal);
        Assert.Equal(0, Volatile.Read(ref _changes));
        using var client = new MeshClient(_server.Address!);
        await Assert.ThrowsAsync<MeshRegistrationException>(() => client.RegisterAsync("web", "x", new EndpointRegistration { Address = "nowhere" }));
    }

    [Fact]
    public async Task Token_IsAskedFor()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "open sesame\n");
        try
        {
            await using var server = new RegistrationServer(new IPEndPoint(IPAddress.Loopback, 0), file, TimeProvider.System);
            await server.StartAsync(() => { }, CancellationToken.None);
            using var stranger = new MeshClient(server.Address!, "guess");
            await Assert.ThrowsAsync<MeshRegistrationException>(() => stranger.RegisterAsync("web", "x", Endpoint()));
            using var friend = new MeshClient(server.Address!, "open sesame");
            await using MeshLease lease = await friend.RegisterAsync("web", "x", Endpoint());
            Assert.Single(server.Snapshot.Endpoints);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task OpenApi_DescribesWhatTheServerDoes()
    {
        using JsonDocument document = JsonDocument.Parse(await _http.GetStringAsync(new Uri("/openapi.json", UriKind.Relative)));
        foreach (JsonProperty path in document.RootElement.GetProperty("paths").EnumerateObject())
        {
            foreach (JsonProperty method in path.Value.EnumerateObject().Where(entry => entry.Name != "parameters"))
            {
                string url = path.Name.Replace("{space}", "s", StringComparison.Ordinal).Replace("{service}", "v", StringComparison.Ordinal).Replace("{id}", "i", StringComparison.Ordinal);
                using var request = new HttpRequestMessage(new HttpMethod(method.Name.ToUpperInvariant()), url) { Content = new StringContent("x") };
                string status = ((int)(await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead)).StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture);
                Assert.Contains(status, method.Value.GetProperty("responses").EnumerateObject().Select(response => response.Name));
            }
        }

        JsonElement schemas = document.RootElement.GetProperty("components").GetProperty("schemas");
        foreach (Type type in new[] { typeof(EndpointRegistration), typeof(ServiceRegistration), typeof(ServicePortRegistration), typeof(RegistrationReply), typeof(RegistryListing), typeof(RegistryNews) })
        {
            Assert.Equal(type.GetProperties().Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name)).Order(StringComparer.Ordinal),
                schemas.GetProperty(type.Name).GetProperty("properties").EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task AddDataplaneRegistration_AHost_IsThereWhileItRuns()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddDataplaneRegistration(options =>
        {
            options.Registry = _server.Address;
            options.Service = "web";
            options.Endpoint = Endpoint();
        });
        using IHost host = builder.Build();
        await host.StartAsync();
        await MeshFixture.UntilAsync(() => _server.Snapshot.Endpoints.Count == 1, "the registration");
        await host.StopAsync();
        Assert.Empty(_server.Snapshot.Endpoints);
    }

    [Fact]
    public async Task Start_PortTaken_IsSaidAndNothingThrown()
    {
        await using var second = new RegistrationServer(new IPEndPoint(IPAddress.Loopback, _server.Address!.Port), "", TimeProvider.System);
        await second.StartAsync(() => { }, CancellationToken.None);
        Assert.True(second.Status.IsStale);

        // The one before goes: it listens by itself.
        await _server.DisposeAsync();
        await MeshFixture.UntilAsync(() => !second.Status.IsStale, "the address is free");
        using var client = new MeshClient(second.Address!);
        Assert.Empty((await client.ListAsync()).Endpoints);
    }

    [Fact]
    public async Task Start_AddressOfNobody_IsSaidAndNothingThrown()
    {
        await using var server = new RegistrationServer(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 7070), "", TimeProvider.System);
        await server.StartAsync(() => { }, CancellationToken.None);
        Assert.StartsWith("does not listen", server.Status.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddDataplaneRegistration_TheRegistryRefuses_TheApplicationGoesOn()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddDataplaneRegistration(options =>
        {
            options.Registry = _server.Address;
            options.Service = "not a label";
            options.Endpoint = Endpoint();
        });
        var log = new RefusalLog();
        builder.Logging.AddProvider(log);
        using IHost host = builder.Build();
        await host.StartAsync();
        IHostApplicationLifetime lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        await MeshFixture.UntilAsync(() => log.Lines.Any(line => line.Contains("refuses", StringComparison.Ordinal)) || lifetime.ApplicationStopping.IsCancellationRequested, "the refusal");
        Assert.False(lifetime.ApplicationStopping.IsCancellationRequested);
        await host.StopAsync();
    }

    private sealed class RefusalLog : ILoggerProvider, ILogger
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
