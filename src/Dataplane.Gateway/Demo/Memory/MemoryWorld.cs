using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Gateway.Status;
using Dataplane.Hosting.Reloading;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo.Memory;

/// <summary>The same engine and the same configuration without root: ports in memory, and hosts in this process that make real packets.</summary>
internal sealed class MemoryWorld : IDemoWorld
{
    private readonly MemoryPort _wan = new(new MemoryPortOptions { Mac = MacAddress.Parse(WanMac) });
    private readonly MemoryPort _lan = new(new MemoryPortOptions { Mac = MacAddress.Parse(LanMac) });
    private readonly CancellationTokenSource _ended = new();
    private readonly SimulatedBackends _backends;
    private readonly SimulatedClient _client;
    private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Thread> _threads = [];
    private DataplaneEngine? _engine;
    private ITimer? _reading;
    private volatile TrafficReport _traffic = TrafficReport.Empty;
    private volatile GatewayStatus? _status;

    public MemoryWorld()
    {
        _backends = new SimulatedBackends(_lan);
        _client = new SimulatedClient(_wan);
    }

    public string Description => "in-memory ports, hosts simulated in this process";

    public string HowBackendsDie => "it refuses every connection";

    public Task Broken => _broken.Task;

    public async Task StartAsync(DemoConfiguration configuration, Action<string> progress, CancellationToken cancellationToken)
    {
        progress("starting the engine on in-memory ports");
        foreach (int backend in configuration.Backends)
        {
            _backends.SetAlive(backend, true);
        }

        _engine = new DataplaneEngine(Spec(configuration));
        await _engine.StartAsync(cancellationToken).ConfigureAwait(false);
        Start("demo-backends", () => _backends.Run(_ended.Token));
        Start("demo-client", () => _client.Run(RequestsPerSecond * 2, _ended.Token));
        TimeSpan interval = TimeSpan.FromMilliseconds(250);
        _reading = TimeProvider.System.CreateTimer(_ =>
        {
            _traffic = _client.Report();
            _status = GatewayStatus.Read(_engine);
        }, null, interval, interval);
        _ = BreakWithEngineAsync(_engine);
    }

    public (TrafficReport Traffic, GatewayStatus? Gateway) Read() => (_traffic, _status);

    public Task KillBackendAsync(int backend)
    {
        _backends.SetAlive(backend, false);
        return Task.CompletedTask;
    }

    public Task StartBackendAsync(int backend)
    {
        _backends.SetAlive(backend, true);
        return Task.CompletedTask;
    }

    public async Task<IReadOnlyList<string>> ReloadAsync(DemoConfiguration configuration)
    {
        DataplaneSpec before = _engine!.Spec, after = Spec(configuration);
        ChangeReceipt receipt = await _engine.UpdateAsync(after).ConfigureAwait(false);
        return ReloadReport.Lines(new ReloadOutcome { Before = before, After = after, Receipt = receipt });
    }

    public async Task<IReadOnlyList<string>> StopAsync()
    {
        await StopTrafficAsync().ConfigureAwait(false);
        await _engine!.StopAsync().ConfigureAwait(false);
        return [.. AccountingReport.Lines(_engine.ReadAccounting())];
    }

    public async ValueTask DisposeAsync()
    {
        await StopTrafficAsync().ConfigureAwait(false);
        if (_engine is not null)
        {
            await _engine.DisposeAsync().ConfigureAwait(false);
        }

        _ended.Dispose();
    }

    private async Task StopTrafficAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        _threads.ForEach(thread => thread.Join());
        if (_reading is not null)
        {
            await _reading.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The file of the real demo, but for its ports; the simulated hosts do not answer ARP, so their addresses are configured.</summary>
    private DataplaneSpec Spec(DemoConfiguration configuration)
    {
        DataplaneSpec spec = DemoExplainer.SpecWithNeighbours(configuration);
        return spec with
        {
            Ports = [.. spec.Ports.Select(port => new PortSpec { Name = port.Name, Kind = PortKind.Memory, Factory = port.Name == Wan ? _wan : _lan })],
        };
    }

    private void Start(string name, Action run)
    {
        var thread = new Thread(() =>
        {
            try
            {
                run();
            }
#pragma warning disable CA1031 // Handed on: a simulated host that dies ends the demo.
            catch (Exception fault)
#pragma warning restore CA1031
            {
                _broken.TrySetException(fault);
            }
        })
        { IsBackground = true, Name = name };
        _threads.Add(thread);
        thread.Start();
    }

    private async Task BreakWithEngineAsync(DataplaneEngine engine)
    {
        await engine.Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (engine.Completion.IsFaulted)
        {
            _broken.TrySetException(engine.Completion.Exception.InnerException!);
        }
    }
}
