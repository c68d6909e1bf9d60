using System.Text.Json;
using Dataplane.Bridging;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Commands;

/// <summary>A gateway with a bridge is asked and told by its control socket.</summary>
public sealed class BridgeCommandsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ShowAddressesAndFlush_OfARunningGateway_TellWhatItKnowsAndForgetIt()
    {
        MemoryPort a = new(new MemoryPortOptions()), b = new(new MemoryPortOptions());
        await using DataplaneEngine engine = new DataplaneBuilder().Port("a", PortSource.Memory(a)).Port("b", PortSource.Memory(b))
            .Bridge(new BridgeSpec { Name = "lan", Entries = 64, Ports = [new() { Port = "a" }, new() { Port = "b" }] }).Build();
        await engine.StartAsync();
        await using ControlServer control = await GatewayControl.StartAsync(Socket, engine);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Socket));
        foreach (byte host in (byte[])[1, 2, 3])
        {
            a.SendMany(Broadcast(host), [60]);
        }

        await AwaitAsync(() => engine.ReadBridgeAddresses().Count == 3);
        Ended shown = await CallAsync("bridge", "show");
        Assert.Matches(@"^lan +a +3 +3 +3 +0 +0 +0 +3 +0$", shown.Lines[1]);
        Assert.Equal("lan: 3 of 64 addresses", shown.Lines[^1]);
        Assert.Equal(["02:00:00:00:00:02"], Macs(await CallAsync("bridge", "addresses", "--mac", "02:00:00:00:00:02")));
        Assert.Equal(3, Macs(await CallAsync("bridge", "addresses", "--port", "a", "--vlan", "0", "--bridge", "lan")).Length);
        Assert.Empty(Macs(await CallAsync("bridge", "addresses", "--port", "b")));
        using (var json = JsonDocument.Parse((await CallAsync("bridge", "addresses", "--json")).Output))
        {
            Assert.Equal(3, json.RootElement.GetProperty("addresses").GetArrayLength());
        }

        Assert.Equal(["1 forgotten"], (await CallAsync("bridge", "flush", "lan", "--mac", "02:00:00:00:00:01", "--port", "a", "--vlan", "0")).Lines);
        Assert.Equal(["2 forgotten"], (await CallAsync("bridge", "flush", "lan")).Lines);
        Assert.Empty(engine.ReadBridgeAddresses());
    }

    [Theory]
    [InlineData("There is no bridge wan", ExitCode.Failed, "bridge", "flush", "wan")]
    [InlineData("has no port z", ExitCode.Failed, "bridge", "flush", "lan", "--port", "z")]
    [InlineData("There is no bridge wan", ExitCode.Failed, "bridge", "show", "--bridge", "wan")]
    [InlineData("is not a MAC address", ExitCode.Usage, "bridge", "flush", "lan", "--mac", "x")]
    [InlineData("0 to 4095", ExitCode.Usage, "bridge", "flush", "lan", "--vlan", "4096")]
    public async Task Commands_ForWhatIsNot_SayWhatIsWrong(string expected, int exitCode, params string[] words)
    {
        MemoryPort a = new(new MemoryPortOptions()), b = new(new MemoryPortOptions());
        await using DataplaneEngine engine = new DataplaneBuilder().Port("a", PortSource.Memory(a)).Port("b", PortSource.Memory(b))
            .Bridge(new BridgeSpec { Name = "lan", Ports = [new() { Port = "a" }, new() { Port = "b" }] }).Build();
        await engine.StartAsync();
        await using ControlServer control = await GatewayControl.StartAsync(Socket, engine);
        Ended ended = (await Called.WithAsync([.. words, "--socket", Socket])).With(exitCode);
        Assert.Contains(expected, ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commands_WithoutAGateway_SayHowItIsStarted()
    {
        Ended ended = (await Called.WithAsync("bridge", "show", "--socket", Socket)).With(ExitCode.Failed);
        Assert.Contains("No gateway answers at", ended.Error, StringComparison.Ordinal);
        Assert.Contains("run FILE --control", ended.Error, StringComparison.Ordinal);
    }

    private string Socket => _folder["gateway.sock"];

    private async Task<Ended> CallAsync(params string[] words) => (await Called.WithAsync([.. words, "--socket", Socket])).With(ExitCode.Ok);

    private static string[] Macs(Ended ended) => [.. ended.Lines.Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])];

    private static byte[] Broadcast(byte host) => [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0, 0, host, 0x88, 0xB5, .. new byte[46]];

    private static async Task AwaitAsync(Func<bool> holds)
    {
        for (int i = 0; i < 3000 && !holds(); i++)
        {
            await Task.Delay(10);
        }

        Assert.True(holds());
    }
}
