using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Dataplane.Hosting.Tests.Lifecycle;

public sealed class HostedEngineTests
{
    [Fact]
    public async Task StartAsync_ConfiguredInCode_ForwardsUntilTheHostStops()
    {
        var port = new MemoryPort();
        HostApplicationBuilder builder = Testing.NewHost(out LogList log);
        builder.Services.AddDataplane().Configure(Testing.OnePort(port));
        using IHost host = builder.Build();
        await host.StartAsync();
        DataplaneEngine engine = host.Services.GetRequiredService<DataplaneEngine>();

        byte[] answer = Testing.AskArp(port);
        Assert.Equal(2, answer[21]);
        Assert.Equal(EngineState.Running, engine.State);
        Assert.True(log.Has("Started"));

        await host.StopAsync();
        Assert.Equal(EngineState.Stopped, engine.State);
        Assert.True(engine.Completion.IsCompletedSuccessfully);
        Assert.False(port.IsOpen);
        Assert.Contains("received 1", log.TextOf("Stopped"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartAsync_SectionAndCode_AreOneConfiguration()
    {
        var port = new MemoryPort();
        IConfigurationRoot configuration = Testing.Configuration(
            ("Net:Interfaces:0:Port", "wan"), ("Net:Interfaces:0:Address", "198.18.0.1/24"),
            ("Net:Services:0:Name", "web"), ("Net:Services:0:Address", "203.0.113.1"), ("Net:Services:0:Port", "80"));
        HostApplicationBuilder builder = Testing.NewHost(out _);
        builder.Services.AddDataplane().LoadFromConfig(configuration.GetSection("Net")).Configure(plane => plane.Port("wan", PortSource.Memory(port)));
        using IHost host = builder.Build();
        await host.StartAsync();

        Assert.Equal("web", Assert.Single(host.Services.GetRequiredService<DataplaneEngine>().Spec.Services).Name);
        Testing.AskArp(port);
        await host.StopAsync();
    }

    [Fact]
    public async Task StartAsync_WrongValues_ThrowsOnceWithEveryErrorAndTheSection()
    {
        IConfigurationRoot configuration = Testing.Configuration(
            ("Net:Ports:wan:Kind", "memory"), ("Net:Interfaces:0:Port", "lan"), ("Net:Interfaces:0:Address", "198.18.0.1/24"),
            ("Net:Services:0:Name", "web"), ("Net:Services:0:Address", "203.0.113.1"), ("Net:Services:0:Port", "80800"));
        HostApplicationBuilder builder = Testing.NewHost(out _);
        builder.Services.AddDataplane().LoadFromConfig(configuration.GetSection("Net"));
        using IHost host = builder.Build();

        ConfigurationException thrown = await Assert.ThrowsAsync<ConfigurationException>(() => host.StartAsync());
        Assert.Equal(["interfaces[0].port", "services[0].port"], thrown.Errors.Select(error => error.Path).Order(StringComparer.Ordinal));
        Assert.Contains("Net", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("80800", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartAsync_WrongValuesInFileAndCode_ThrowsOnceWithBoth()
    {
        using var file = new TemporaryFile("ports:\n  wan: { kind: memory }\nservices:\n  - { name: web, address: nowhere, port: 80 }\n");
        HostApplicationBuilder builder = Testing.NewHost(out _);
        builder.Services.AddDataplane().LoadFromFile(file.Path).Configure(plane => plane.Interface("wan", "198.18.0.1/240"));
        using IHost host = builder.Build();

        ConfigurationException thrown = await Assert.ThrowsAsync<ConfigurationException>(() => host.StartAsync());
        Assert.Contains(thrown.Errors, error => error.Path == "services[0].address" && error.Line == 4 && error.File == file.Path);
        Assert.Contains(thrown.Errors, error => error.Path == "interfaces[0].address");
    }

    [Fact]
    public async Task StartAsync_SectionMissing_ThrowsInsteadOfRunningNothing()
    {
        HostApplicationBuilder builder = Testing.NewHost(out _);
        builder.Services.AddDataplane().LoadFromConfig(Testing.Configuration(("Other:Key", "1")).GetSection("Dataplane"));
        using IHost host = builder.Build();
        ConfigurationException thrown = await Assert.ThrowsAsync<ConfigurationException>(() => host.StartAsync());
        Assert.Equal("Dataplane", Assert.Single(thrown.Errors).File);
    }

    [Fact]
    public void LoadFrom_SecondSource_Throws()
    {
        IDataplaneHostBuilder builder = new ServiceCollection().AddDataplane().LoadFromFile("a.yaml");
        Assert.Contains("a.yaml", Assert.Throws<InvalidOperationException>(() => builder.LoadFromFile("b.yaml")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddDataplane_Twice_IsOneEngine()
    {
        var services = new ServiceCollection();
        services.AddDataplane().Configure(plane => plane.Port("a", PortSource.Memory(new MemoryPort())));
        services.AddDataplane().Configure(plane => plane.Port("b", PortSource.Memory(new MemoryPort())));
        services.AddLogging();
        Assert.Single(services, service => service.ServiceType == typeof(IHostedService));
        Assert.Equal(["a", "b"], services.BuildServiceProvider().GetRequiredService<DataplaneEngine>().Spec.Ports.Select(port => port.Name));
    }

    [Fact]
    public async Task AddStage_StageWithInjectedService_SeesEveryPacket()
    {
        var port = new MemoryPort();
        HostApplicationBuilder builder = Testing.NewHost(out _);
        builder.Services.AddSingleton<PacketCount>();
        builder.Services.AddDataplane().Configure(Testing.OnePort(port)).AddStage<CountingStage>(StagePosition.AfterParse);
        using IHost host = builder.Build();
        await host.StartAsync();
        Testing.AskArp(port);
        await host.StopAsync();
        Assert.Equal(1, host.Services.GetRequiredService<PacketCount>().Packets);
    }

    [Fact]
    public async Task Run_WorkerDies_StopsTheHostWithAnException()
    {
        var port = new MemoryPort();
        HostApplicationBuilder builder = Testing.NewHost(out LogList log);
        builder.Services.AddDataplane().Configure(Testing.OnePort(port)).AddStage<ThrowingStage>(StagePosition.AfterParse);
        using IHost host = builder.Build();
        await host.StartAsync();
        Task running = host.WaitForShutdownAsync();
        Assert.True(port.TrySend(Testing.ArpRequest));

        Exception thrown = await Assert.ThrowsAnyAsync<Exception>(() => running);
        Assert.Contains("worker died", thrown.ToString(), StringComparison.Ordinal);
        Assert.Contains(ThrowingStage.Message, thrown.ToString(), StringComparison.Ordinal);
        Assert.True(log.Has("WorkerDied"));
    }

    private sealed class PacketCount
    {
        public int Packets { get; set; }
    }

    private sealed class CountingStage(PacketCount count) : IStage
    {
        public string Name => "count";

        public void Process(PacketBatch batch) => count.Packets += batch.Count;
    }

    private sealed class ThrowingStage : IStage
    {
        public const string Message = "a fault of a stage";

        public string Name => "throw";

        public void Process(PacketBatch batch) => throw new InvalidOperationException(Message);
    }
}
