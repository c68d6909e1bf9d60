using BenchmarkDotNet.Attributes;
using Dataplane.Mesh;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Benchmarks.Mesh;

/// <summary>A source with 10,000 services and 250,000 endpoints: from what it says to an engine that forwards by it, whole, and
/// after one change: of an endpoint, of an endpoint of a headless service (one service in a hundred is), a service more, a service less.</summary>
[MemoryDiagnoser]
[MedianColumn]
[MaxColumn]
public class MeshScaleBenchmarks : IAsyncDisposable
{
    private const int Services = 10_000, EndpointsEach = 25, Changed = 7_777, HeadlessEach = 100, ChangedHeadless = 4_200;

    private readonly MeshServiceSpec[] _services = [.. Enumerable.Range(0, Services).Select(Service)];
    private readonly MeshSpec _mesh = new()
    {
        Domain = "mesh.example",
        Addresses = [IpPrefix.Parse("10.64.0.0/10")],
        TableSize = 251,
        Dns = new MeshDnsSpec { Listen = [IpAddress.Parse("198.51.100.1")] },
        Sources = [new MeshSourceSpec { Kind = MeshSourceKind.Xds }],
    };

    private readonly Given _source = new();
    private MeshServiceSpec[] _more = [];
    private EndpointSet _endpoints = [.. Enumerable.Range(0, Services * EndpointsEach).Select(number => new MeshEndpointSpec
    {
        Address = IpAddress.FromV4(0x0B000002u + (uint)number),
        Service = $"s{number / EndpointsEach}",
        Ports = new Dictionary<string, ushort> { [""] = 8080 },
    })];

    private DataplaneSpec _spec = new();
    private MeshRuntime? _runtime;
    private DataplaneEngine? _engine;
    private int _weight;
    private bool _hasMore;

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _more = [.. _services, Service(Services + 1) with { Name = "s5000-more" }];
        _source.Say(_services, _endpoints);
        _spec = Gateway();
        (_runtime, _engine) = await StartAsync(_spec);
    }

    [GlobalCleanup]
    public Task CleanupAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _engine!.DisposeAsync();
        await _runtime!.DisposeAsync();
        await _source.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public async Task<int> LoadAll()
    {
        (MeshRuntime runtime, DataplaneEngine engine) = await StartAsync(Gateway());
        await engine.DisposeAsync();
        await runtime.DisposeAsync();
        return engine.Version;
    }

    [Benchmark]
    public Task<int> ChangeOneEndpoint() => ChangeAsync($"s{Changed}");

    [Benchmark]
    public Task<int> ChangeHeadlessEndpoint() => ChangeAsync($"s{ChangedHeadless}");

    /// <summary>A service comes and another time goes, half the calls each.</summary>
    [Benchmark]
    public async Task<int> AddOrRemoveService()
    {
        _hasMore = !_hasMore;
        _source.Say(_hasMore ? _more : _services, _endpoints);
        await _engine!.UpdateAsync(_runtime!.Expand(_spec, _mesh));
        return _engine.Version;
    }

    private async Task<int> ChangeAsync(string service)
    {
        EndpointGroup group = _endpoints.Find($"default/{service}")!;
        _weight = (_weight % 100) + 1;
        _endpoints = _endpoints.With([new EndpointGroup(group.Namespace, group.Endpoints[0].Service, [group.Endpoints[0] with { Weight = _weight }, .. group.Endpoints.Skip(1)])]);
        _source.Say(_hasMore ? _more : _services, _endpoints);
        await _engine!.UpdateAsync(_runtime!.Expand(_spec, _mesh));
        return _engine.Version;
    }

    private static MeshServiceSpec Service(int number) => new()
    {
        Name = $"s{number}",
        Kind = number % HeadlessEach == 0 ? MeshServiceKind.Headless : MeshServiceKind.ClusterIp,
        Ports = [new MeshPortSpec { Port = 80 }],
        IsKubernetes = true,
    };

    private async Task<(MeshRuntime Runtime, DataplaneEngine Engine)> StartAsync(DataplaneSpec spec)
    {
        var runtime = new MeshRuntime(TimeProvider.System, (_, _) => _source);
        var engine = new DataplaneEngine(await runtime.StartAsync(spec, _mesh));
        engine.StartManual();
        return (runtime, engine);
    }

    private static DataplaneSpec Gateway() => new DataplaneBuilder()
        .Port("wan", PortSource.Memory(new MemoryPort(new MemoryPortOptions()))).Port("lan", PortSource.Memory(new MemoryPort(new MemoryPortOptions())))
        .Interface("wan", "198.51.100.1/24").Interface("lan", "11.0.0.1/8").ToSpec();

    /// <summary>A source that says what it is given, and outlives the runtimes that use it.</summary>
    private sealed class Given : IMeshSource
    {
        public string Name => "given";

        public SourceSnapshot Snapshot { get; private set; } = SourceSnapshot.Empty;

        public SourceStatus Status => new(Name, Snapshot.Revision, Snapshot.Services.Count, Snapshot.Endpoints.Count, null, "");

        public void Say(IReadOnlyList<MeshServiceSpec> services, EndpointSet endpoints) =>
            Snapshot = new SourceSnapshot { Revision = Snapshot.Revision + 1, Services = services, Endpoints = endpoints };

        public Task StartAsync(Action changed, CancellationToken cancellationToken) => Task.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
