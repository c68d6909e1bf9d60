using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Hosting.Configuration;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Commands;

/// <summary>A running gateway says what a configuration would do to its flows, and goes on as before.</summary>
public sealed class WhatIfCommandTests : IAsyncLifetime, IDisposable
{
    private const int Flows = 40;

    private readonly TemporaryFolder _folder = new();
    private readonly MemoryPort _wan = new(new MemoryPortOptions { Mac = MacAddress.Parse(TestGateway.WanMac) });
    private DataplaneEngine _engine = null!;
    private ControlServer _control = null!;

    public async Task InitializeAsync()
    {
        DataplaneSpec spec = ConfigurationFile.Parse(TestGateway.Yaml, "test").GetSpec();
        _engine = new DataplaneEngine(spec with { Ports = [.. spec.Ports.Select(port => port.Name == "wan" ? port with { Factory = _wan } : port)] });
        await _engine.StartAsync();
        _control = await GatewayControl.StartAsync(Socket, _engine);
        for (int flow = 0; flow < Flows; flow++)
        {
            Assert.True(_wan.TrySend(PacketBuilder.Ethernet(TestGateway.ClientMac, TestGateway.WanMac).Ipv4(TestGateway.Client, "203.0.113.80").Tcp((ushort)(4000 + flow), 80, TcpFlags.Syn).Build()));
        }

        for (int i = 0; i < 3000 && _engine.ReadFlows().Count < 2 * Flows; i++)
        {
            await Task.Delay(10);
        }
    }

    public async Task DisposeAsync()
    {
        await _control.DisposeAsync();
        await _engine.DisposeAsync();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WhatIf_OfTheSame_KeepsAllFlows()
    {
        Ended ended = (await AskAsync(TestGateway.Yaml, "--strict")).With(ExitCode.Ok);
        Assert.Equal($"flows: {Flows} would be kept, 0 moved, 0 ended", ended.Lines[^1]);
    }

    [Fact]
    public async Task WhatIf_WithoutABackend_CountsItsFlowsAndSlots()
    {
        string without = TestGateway.Yaml.Replace("{ address: 10.1.0.11, port: 8080, weight: 2 }, ", "", StringComparison.Ordinal);
        int version = _engine.Version;
        using var json = JsonDocument.Parse((await AskAsync(without, "--json")).With(ExitCode.Ok).Output);
        JsonElement reply = json.RootElement;
        long kept = reply.GetProperty("kept").GetInt64(), gone = reply.GetProperty("moved").GetInt64() + reply.GetProperty("ended").GetInt64();
        Assert.Equal(Flows, kept + gone);
        Assert.InRange(gone, 1, Flows - 1);
        JsonElement service = Assert.Single(reply.GetProperty("services").EnumerateArray());
        Assert.Equal("web", service.GetProperty("name").GetString());
        Assert.Equal(service.GetProperty("minimum_slots_moved").GetInt32(), service.GetProperty("slots_moved").GetInt32());
        Assert.Equal(version, _engine.Version);
        Assert.Equal(ExitCode.Failed, (await AskAsync(without, "--strict")).ExitCode);
        Assert.Contains($"{kept} would be kept", (await AskAsync(without)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIf_OfWhatFilesCannotSay_SaysSo()
    {
        string[] lines = (await AskAsync(TestGateway.Yaml)).With(ExitCode.Ok).Lines;
        Assert.Equal(["not compared: how port wan is opened: the program that runs has made it", $"flows: {Flows} would be kept, 0 moved, 0 ended"], lines);

        await _engine.UpdateAsync(spec => spec with { Names = [new Dataplane.Names.NameServerSpec { Name = "mesh", Addresses = [IpAddress.Parse("198.51.100.1")] }] });
        using var json = JsonDocument.Parse((await AskAsync(TestGateway.Yaml, "--json")).With(ExitCode.Ok).Output);
        Assert.Equal(
            ["what name servers answer (names of a mesh): flows do not depend on it", "how port wan is opened: the program that runs has made it"],
            json.RootElement.GetProperty("not_compared").EnumerateArray().Select(each => each.GetString()));
        Assert.Empty(json.RootElement.GetProperty("ports_closed").EnumerateArray());
        Assert.Single(_engine.Spec.Names);
    }

    [Fact]
    public async Task WhatIf_OfAWrongFile_SaysWhatIsWrong()
    {
        Ended ended = (await AskAsync(TestGateway.Yaml.Replace("198.51.100.1/24", "198.51.100.1/33", StringComparison.Ordinal))).With(ExitCode.Usage);
        Assert.Contains("198.51.100.1/33", ended.Error, StringComparison.Ordinal);
    }

    private string Socket => _folder["gateway.sock"];

    private async Task<Ended> AskAsync(string yaml, params string[] words)
    {
        string file = _folder["candidate.yaml"];
        await File.WriteAllTextAsync(file, yaml);
        return await Called.WithAsync(["what-if", file, .. words, "--socket", Socket]);
    }
}
