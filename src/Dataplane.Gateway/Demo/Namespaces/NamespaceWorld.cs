using System.Globalization;
using System.Text.Json;
using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Gateway.Status;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo.Namespaces;

/// <summary>The real thing: programs in network namespaces, and <c>dataplane run</c> between them on mapped rings.</summary>
internal sealed class NamespaceWorld : IDemoWorld
{
    private readonly DemoNamespaces _namespaces = new();
    private readonly string? _nginx = IpCommand.Find("nginx");
    private readonly List<ChildProcess>?[] _backends = new List<ChildProcess>?[AllBackends];
    private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataplane-demo-");
    private readonly GatewayOutput _output = new();
    private ChildProcess? _gateway;
    private ChildProcess? _client;
    private volatile TrafficReport _traffic = TrafficReport.Empty;
    private volatile bool _stopping;

    public string Description => _nginx is null
        ? "network namespaces, AF_PACKET rings, the kernel's TCP/UDP"
        : "network namespaces, AF_PACKET rings, the kernel's TCP/UDP, nginx";

    public string HowBackendsDie => "kill -9 of its programs";

    public Task Broken => _broken.Task;

    private string ConfigurationPath => Path.Combine(_folder.FullName, "gateway.yaml");

    public async Task StartAsync(DemoConfiguration configuration, Action<string> progress, CancellationToken cancellationToken)
    {
        await DemoNamespaces.RemoveLeftoversAsync().ConfigureAwait(false);
        progress($"making network namespaces, links and a switch for a client, the gateway and {AllBackends} backends");
        await _namespaces.CreateAsync().ConfigureAwait(false);
        await File.WriteAllTextAsync(ConfigurationPath, configuration.ToYaml(), cancellationToken).ConfigureAwait(false);

        progress($"starting {configuration.Backends.Length} backends ({(_nginx is null ? "web server" : "nginx")} and a UDP echo each) and dataplane run gateway.yaml");
        _gateway = ChildProcess.Start("the gateway", _namespaces.GatewayName, ChildProcess.Self("run", ConfigurationPath, "--status", "250", "--while-input"), _output.Add);
        await Task.WhenAll([_gateway.WaitUntilReadyAsync(cancellationToken), .. configuration.Backends.Select(backend => StartBackendAsync(backend, cancellationToken))])
            .ConfigureAwait(false);

        progress("starting the client");
        string[] rate = ["--rate", RequestsPerSecond.ToString(CultureInfo.InvariantCulture)];
        _client = ChildProcess.Start("the client", _namespaces.ClientName,
            ChildProcess.Self(["demo-client", "--http", $"{Web}", "--http", $"{Web6}", "--echo", $"{Echo}", "--echo", $"{Echo6}", "--guest", Guest, .. rate]), OnTraffic);
        _ = BreakWhenEndedAsync(_gateway, "The gateway");
        _ = BreakWhenEndedAsync(_client, "The client");
    }

    public (TrafficReport Traffic, GatewayStatus? Gateway) Read() => (_traffic, _output.Status);

    public async Task KillBackendAsync(int backend)
    {
        List<ChildProcess> processes = _backends[backend] ?? [];
        _backends[backend] = null;
        foreach (ChildProcess process in processes)
        {
            await process.DisposeAsync().ConfigureAwait(false);
        }
    }

    public Task StartBackendAsync(int backend) => StartBackendAsync(backend, CancellationToken.None);

    public async Task<IReadOnlyList<string>> ReloadAsync(DemoConfiguration configuration)
    {
        // As an editor does it: the new file is there whole or not at all.
        string next = ConfigurationPath + ".new";
        await File.WriteAllTextAsync(next, configuration.ToYaml()).ConfigureAwait(false);
        Task<IReadOnlyList<string>> said = _output.NextReloadAsync();
        File.Move(next, ConfigurationPath, overwrite: true);
        await Task.WhenAny(said, _gateway!.Exited, Task.Delay(TimeSpan.FromSeconds(5))).ConfigureAwait(false);
        return said.IsCompleted ? await said.ConfigureAwait(false) : throw new IOException($"The gateway did not reload. {_gateway.Errors}");
    }

    public async Task<IReadOnlyList<string>> StopAsync()
    {
        _stopping = true;
        if (_client is not null)
        {
            await _client.StopAsync().ConfigureAwait(false);
        }

        if (_gateway is not null)
        {
            await _gateway.StopAsync().ConfigureAwait(false);
        }

        return _output.Accounting;
    }

    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        IEnumerable<ChildProcess?> all = [_client, _gateway, .. _backends.SelectMany(processes => processes ?? [])];
        foreach (ChildProcess process in all.OfType<ChildProcess>())
        {
            await process.DisposeAsync().ConfigureAwait(false);
        }

        await _namespaces.RemoveAsync().ConfigureAwait(false);
        _folder.Delete(recursive: true);
    }

    private async Task StartBackendAsync(int backend, CancellationToken cancellationToken)
    {
        string place = _namespaces.BackendName(backend);
        var processes = new List<ChildProcess>();
        _backends[backend] = processes;
        string[] http = [];
        if (_nginx is null)
        {
            http = ["--http", $"{WebPort}"];
        }
        else
        {
            processes.Add(ChildProcess.Start($"nginx of {Name(backend)}", place, await NginxConfiguration.WriteAsync(_nginx, _folder.FullName, backend).ConfigureAwait(false)));
        }

        var server = ChildProcess.Start(Name(backend), place, ChildProcess.Self(["demo-server", "--name", Name(backend), "--echo", $"{EchoPort}", .. http]));
        processes.Add(server);
        await server.WaitUntilReadyAsync(cancellationToken).ConfigureAwait(false);
        if (processes[0] is { Exited.IsCompleted: true } nginx)
        {
            throw new IOException($"nginx of {Name(backend)} ended: {nginx.Errors}");
        }
    }

    private void OnTraffic(string line)
    {
        if (line.StartsWith('{'))
        {
            _traffic = JsonSerializer.Deserialize(line, StatusJson.Default.TrafficReport)!;
        }
    }

    private async Task BreakWhenEndedAsync(ChildProcess process, string name)
    {
        await process.Exited.ConfigureAwait(false);
        if (!_stopping)
        {
            _broken.TrySetException(new IOException($"{name} ended unexpectedly. {process.Errors}"));
        }
    }
}
