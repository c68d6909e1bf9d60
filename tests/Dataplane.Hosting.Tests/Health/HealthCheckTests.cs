using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Dataplane.Hosting.Tests.Health;

public sealed class HealthCheckTests
{
    private readonly MemoryPort _wan = new();
    private readonly MemoryPort _lan = new();

    [Fact]
    public async Task Ready_ThroughTheEnginesLife_FollowsState()
    {
        using IHost host = NewHost(null);
        HealthCheckService health = host.Services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Unhealthy, await ReadyAsync(health));
        Assert.Equal(HealthStatus.Healthy, await LiveAsync(health));

        await host.StartAsync();
        Assert.Equal(HealthStatus.Healthy, await ReadyAsync(health));

        _lan.SetLink(LinkState.Down);
        Assert.Equal(HealthStatus.Degraded, await ReadyAsync(health));
        _wan.SetLink(LinkState.Gone);
        Assert.Equal(HealthStatus.Unhealthy, await ReadyAsync(health));
        _wan.SetLink(LinkState.Up);
        _lan.SetLink(LinkState.Up);
        Assert.Equal(HealthStatus.Healthy, await ReadyAsync(health));

        await host.StopAsync();
        Assert.Equal(HealthStatus.Unhealthy, await ReadyAsync(health));
        Assert.Equal(HealthStatus.Healthy, await LiveAsync(health));
    }

    [Fact]
    public async Task Ready_Running_TellsPortsAndCountersInItsData()
    {
        using IHost host = NewHost(null);
        await host.StartAsync();
        await Testing.AskArpAsync(_wan, host.Services.GetRequiredService<DataplaneEngine>());
        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Tags.Contains("ready"));
        (string name, HealthReportEntry entry) = Assert.Single(report.Entries);
        Assert.Equal("dataplane-ready", name);
        Assert.Equal("Up", entry.Data["port.wan"]);
        Assert.Equal("Up", entry.Data["port.lan"]);
        Assert.Equal(1L, entry.Data["received"]);
        Assert.Equal(host.Services.GetRequiredService<DataplaneEngine>().Version, entry.Data["version"]);
        await host.StopAsync();
    }

    [Fact]
    public async Task Live_WorkerDied_IsUnhealthyWithTheException()
    {
        using IHost host = NewHost(new ThrowingStage());
        await host.StartAsync();
        Assert.True(_wan.TrySend(Testing.ArpRequest));
        DataplaneEngine engine = host.Services.GetRequiredService<DataplaneEngine>();
        await Testing.UntilAsync(() => engine.Completion.IsFaulted, "the worker's death");
        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        Assert.Equal(HealthStatus.Unhealthy, report.Entries["dataplane-live"].Status);
        Assert.IsType<NotImplementedException>(report.Entries["dataplane-live"].Exception);
        Assert.Equal(HealthStatus.Unhealthy, report.Entries["dataplane-ready"].Status);
    }

    [Fact]
    public async Task Ready_LastReloadRejected_IsDegradedUntilAGoodOne()
    {
        using var file = new TemporaryFile("");
        HostApplicationBuilder builder = Testing.NewHost(out LogList log);
        builder.Services.AddDataplane().LoadFromFile(file.Path).Configure(Testing.OnePort(_wan));
        builder.Services.AddHealthChecks().AddDataplane();
        using IHost host = builder.Build();
        await host.StartAsync();
        HealthCheckService health = host.Services.GetRequiredService<HealthCheckService>();

        file.Write("routes: [ { to: nowhere } ]");
        await Testing.UntilAsync(() => log.Has("ConfigurationRejected"), "the rejection");
        Assert.Equal(HealthStatus.Degraded, await ReadyAsync(health));

        file.Write("routes: [ { to: 203.0.113.0/24, reject: blackhole } ]");
        await Testing.UntilAsync(() => log.Has("ConfigurationApplied"), "the reload");
        Assert.Equal(HealthStatus.Healthy, await ReadyAsync(health));
        await host.StopAsync();
    }

    private IHost NewHost(IStage? stage)
    {
        HostApplicationBuilder builder = Testing.NewHost(out _);
        builder.Services.AddDataplane().Configure(plane =>
        {
            Testing.OnePort(_wan)(plane);
            plane.Port("lan", PortSource.Memory(_lan));
            if (stage is not null)
            {
                plane.Stage(StagePosition.AfterParse, stage);
            }
        });
        builder.Services.AddHealthChecks().AddDataplane();
        return builder.Build();
    }

    private static async Task<HealthStatus> ReadyAsync(HealthCheckService health) => (await health.CheckHealthAsync(check => check.Tags.Contains("ready"))).Status;

    private static async Task<HealthStatus> LiveAsync(HealthCheckService health) => (await health.CheckHealthAsync(check => check.Tags.Contains("live"))).Status;

    private sealed class ThrowingStage : IStage
    {
        public string Name => "throw";

        public void Process(PacketBatch batch) => throw new NotImplementedException();
    }
}
