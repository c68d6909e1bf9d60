using Dataplane.Ports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Dataplane.Hosting.Tests.Reloading;

public sealed class ReloadTests
{
    private const string Good = "ports:\n  wan: { kind: memory }\ninterfaces:\n  - { port: wan, address: 198.18.0.1/24 }\n";
    private const string Wrong = "ports:\n  wan: { kind: memory }\ninterfaces:\n  - { port: lan, address: 198.18.0.1/240 }\n";
    private const string Better = Good + "routes:\n  - { to: 203.0.113.0/24, reject: unreachable }\n";

    [Fact]
    public async Task File_GoodThenWrongThenGood_KeepsTheLastGoodAndRecovers()
    {
        using var file = new TemporaryFile(Good);
        HostApplicationBuilder builder = Testing.NewHost(out LogList log);
        builder.Services.AddDataplane().LoadFromFile(file.Path);
        using IHost host = builder.Build();
        await host.StartAsync();
        DataplaneEngine engine = host.Services.GetRequiredService<DataplaneEngine>();
        int version = engine.Version;

        file.Write(Wrong);

        // Written in place, the file may have been read while it was still empty: that was rejected too, before this.
        await Testing.UntilAsync(() => log.Has("ConfigurationRejected", $"{file.Path}:4:"), "the rejection");
        string errors = log.TextOf("ConfigurationRejected", $"{file.Path}:4:");
        Assert.Contains($"{file.Path}:4:", errors, StringComparison.Ordinal);
        Assert.Contains("interfaces[0].address", errors, StringComparison.Ordinal);
        Assert.Contains("interfaces[0].port", errors, StringComparison.Ordinal);
        Assert.Equal(version, engine.Version);
        Assert.Equal("wan", Assert.Single(engine.Spec.Interfaces).Port);

        file.Replace(Better);
        await Testing.UntilAsync(() => log.Has("ConfigurationApplied"), "the reload");
        Assert.Single(engine.Spec.Routes);
        Assert.Equal(version + 1, engine.Version);
        await host.StopAsync();
    }

    [Fact]
    public async Task File_SymbolicLinkIsSwapped_IsAChange()
    {
        using var first = new TemporaryFile(Good);
        using var second = new TemporaryFile(Better);
        using var folder = new TemporaryFile("");
        string link = folder.Path + ".link", next = folder.Path + ".next";
        File.CreateSymbolicLink(link, first.Path);
        HostApplicationBuilder builder = Testing.NewHost(out LogList log);
        builder.Services.AddDataplane().LoadFromFile(link);
        using IHost host = builder.Build();
        await host.StartAsync();

        File.CreateSymbolicLink(next, second.Path);
        File.Move(next, link, overwrite: true);
        await Testing.UntilAsync(() => log.Has("ConfigurationApplied"), "the reload");
        Assert.Single(host.Services.GetRequiredService<DataplaneEngine>().Spec.Routes);
        await host.StopAsync();
    }

    [Fact]
    public async Task Section_ChangesTokenFires_AppliesOnlyWhatChangesTheEngine()
    {
        var port = new MemoryPort();
        IConfigurationRoot configuration = Testing.Configuration(("Net:Workers:Seed", "1"), ("Other", "1"));
        HostApplicationBuilder builder = Testing.NewHost(out LogList log);
        builder.Services.AddDataplane().LoadFromConfig(configuration.GetSection("Net")).Configure(Testing.OnePort(port));
        using IHost host = builder.Build();
        await host.StartAsync();
        DataplaneEngine engine = host.Services.GetRequiredService<DataplaneEngine>();
        int version = engine.Version;

        configuration["Other"] = "2";
        configuration.Reload();
        configuration["Net:Routes:0:To"] = "203.0.113.0/24";
        configuration["Net:Routes:0:Reject"] = "blackhole";
        configuration.Reload();
        await Testing.UntilAsync(() => log.Has("ConfigurationApplied"), "the reload");
        Assert.Equal(version + 1, engine.Version);
        Assert.Single(engine.Spec.Routes);
        Assert.Equal("wan", Assert.Single(engine.Spec.Ports).Name);
        Testing.AskArp(port);

        configuration["Net:Routes:0:To"] = "203.0.113.0/99";
        configuration.Reload();
        await Testing.UntilAsync(() => log.Has("ConfigurationRejected"), "the rejection");
        Assert.Equal(version + 1, engine.Version);
        await host.StopAsync();
    }
}
