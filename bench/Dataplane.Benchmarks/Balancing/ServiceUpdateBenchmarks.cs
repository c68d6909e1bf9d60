using BenchmarkDotNet.Attributes;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Benchmarks.Balancing;

/// <summary>A configuration of 5,000 services with 250,000 backends: checked and compiled whole, and with one backend changed.</summary>
[MemoryDiagnoser]
public class ServiceUpdateBenchmarks
{
    private const int Services = 5000, BackendsEach = 50;

    private DataplaneSpec _spec = new();
    private DataplaneEngine? _engine;
    private int _weight;

    /// <summary>How backends are chosen: a table of 5,003 slots for each service, or none.</summary>
    [Params(BalancePolicy.Maglev, BalancePolicy.LeastConnections)]
    public BalancePolicy Policy { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _spec = new DataplaneBuilder().Port("wan", PortSource.Memory(new MemoryPort(new MemoryPortOptions()))).Port("lan", PortSource.Memory(new MemoryPort(new MemoryPortOptions())))
            .Interface("wan", "198.51.100.1/24").Interface("lan", "10.0.0.1/8").ToSpec() with
        {
            Services = [.. Enumerable.Range(0, Services).Select(Service)],
        };
        _engine = Start(_spec);
    }

    [GlobalCleanup]
    public async Task CleanupAsync() => await _engine!.DisposeAsync();

    [Benchmark]
    public async Task<int> LoadAll()
    {
        await using DataplaneEngine engine = Start(_spec with
        {
            Ports = new DataplaneBuilder().Port("wan", PortSource.Memory(new MemoryPort(new MemoryPortOptions()))).Port("lan", PortSource.Memory(new MemoryPort(new MemoryPortOptions())))
                .ToSpec().Ports,
        });
        return engine.Version;
    }

    private static DataplaneEngine Start(DataplaneSpec spec)
    {
        var engine = new DataplaneEngine(spec);
        engine.StartManual();
        return engine;
    }

    [Benchmark]
    public async Task<int> ChangeOneBackend()
    {
        _weight = (_weight % 100) + 1;
        await _engine!.UpdateAsync(spec =>
        {
            ServiceSpec[] services = [.. spec.Services];
            BackendSpec[] backends = [.. services[Services / 2].Backends];
            backends[7] = backends[7] with { Weight = _weight };
            services[Services / 2] = services[Services / 2] with { Backends = backends };
            return spec with { Services = services };
        });
        return _engine.Version;
    }

    private ServiceSpec Service(int number) => new()
    {
        Name = $"s{number}",
        Address = IpAddress.FromV4(0xCB007100 + (uint)(number / 1000)),
        Port = (ushort)(1000 + (number % 1000)),
        Balance = Policy,
        TableSize = 5003,
        Backends = [.. Enumerable.Range(0, BackendsEach).Select(backend => new BackendSpec { Address = IpAddress.FromV4(0x0A010000 + (uint)((number * BackendsEach) + backend)), Port = 8080 })],
    };
}
