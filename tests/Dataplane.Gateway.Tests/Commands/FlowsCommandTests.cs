using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Commands;

/// <summary>A running gateway lists its flows, and says what would become of a packet now, with the flows that it has.</summary>
public sealed class FlowsCommandTests : IAsyncLifetime, IDisposable
{
    private const string Client = "198.51.100.9", Client6 = "2001:db8:1::9", WanMac = "02:00:00:00:01:01", LanMac = "02:00:00:00:02:01", ClientMac = "02:00:00:00:00:09", BackendMac = "02:00:00:00:00:0b";

    private readonly TemporaryFolder _folder = new();
    private readonly MemoryPort _wan = new(new MemoryPortOptions()), _lan = new(new MemoryPortOptions());
    private DataplaneEngine _engine = null!;
    private ControlServer _control = null!;

    public async Task InitializeAsync()
    {
        _engine = new DataplaneBuilder().Port("wan", PortSource.Memory(_wan)).Port("lan", PortSource.Memory(_lan))
            .Interface("wan", "198.51.100.1/24", mac: WanMac).Interface("wan", "2001:db8:1::1/64", mac: WanMac)
            .Interface("lan", "10.1.0.1/24", mac: LanMac).Interface("lan", "2001:db8:2::1/64", mac: LanMac)
            .Neighbour("wan", Client, ClientMac).Neighbour("wan", Client6, ClientMac).Neighbour("lan", "10.1.0.11", BackendMac).Neighbour("lan", "2001:db8:2::11", BackendMac)
            .Service("dns", "203.0.113.53", 53, service => service.Udp().Backend("10.1.0.11", 5353))
            .Service("web6", "2001:db8:80::80", 80, service => service.Backend("2001:db8:2::11", 8080)).Build();
        await _engine.StartAsync();
        _control = await GatewayControl.StartAsync(Socket, _engine);
        Assert.True(_wan.TrySend(Query(4000)));
        Assert.True(_wan.TrySend(Query(4001)));
        Assert.True(_wan.TrySend(PacketBuilder.Ethernet(ClientMac, WanMac).Ipv6(Client6, "2001:db8:80::80").Tcp(4002, 80, TcpFlags.Syn).Build()));
        for (int i = 0; i < 3000 && _engine.ReadFlows().Count < 6; i++)
        {
            await Task.Delay(10);
        }

        Assert.Equal(6, _engine.ReadFlows().Count);
    }

    public async Task DisposeAsync()
    {
        await _control.DisposeAsync();
        await _engine.DisposeAsync();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Flows_OfARunningGateway_AreListedWithWhatBecomesOfThem()
    {
        Ended listed = await CallAsync("flows", "--protocol", "udp", "--port", "4000");
        Assert.Matches("^PROTOCOL  SOURCE +DESTINATION +LEAVES FROM +LEAVES FOR +STATE  IDLE s$", listed.Lines[0]);
        Assert.Matches(@"^udp +198\.51\.100\.9:4000 +203\.0\.113\.53:53 +198\.51\.100\.9:4000 +10\.1\.0\.11:5353 +udp +\d+\.\d$", listed.Lines[1]);
        Assert.Equal(["1 flow"], listed.Lines[2..]);
        Ended other = await CallAsync("flows", "--protocol", "tcp");
        Assert.Matches(@"^tcp +\[2001:db8:1::9\]:4002 +\[2001:db8:80::80\]:80 +\[2001:db8:1::9\]:4002 +\[2001:db8:2::11\]:8080 +tcp_transitory +\d+\.\d$", other.Lines[1]);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(6, "--both")]
    [InlineData(2, "--address", "10.1.0.0/24")]
    [InlineData(2, "--address", "203.0.113.53")]
    [InlineData(1, "--address", "2001:db8:2::11")]
    [InlineData(0, "--address", "192.0.2.0/24")]
    [InlineData(1, "--port", "8080")]
    [InlineData(2, "--state", "udp")]
    [InlineData(1, "--protocol", "6")]
    [InlineData(2, "--most", "2")]
    public async Task Flows_AskedFor_AreThoseThatFit(int expected, params string[] words)
    {
        using var json = JsonDocument.Parse((await CallAsync(["flows", "--json", .. words])).Output);
        Assert.Equal(expected, json.RootElement.GetProperty("flows").GetArrayLength());
        Assert.Equal(words.Contains("--most"), json.RootElement.GetProperty("has_more").GetBoolean());
    }

    [Theory]
    [InlineData("neither tcp, udp, icmp nor a number", ExitCode.Failed, "--protocol", "sctp")]
    [InlineData("neither an address nor a prefix", ExitCode.Failed, "--address", "x")]
    [InlineData("0 to 65535", ExitCode.Usage, "--port", "65536")]
    [InlineData("is not a state", ExitCode.Failed, "--state", "open")]
    public async Task Flows_AskedForWrongly_SayWhatIsAllowed(string expected, int exitCode, params string[] words)
    {
        Ended ended = (await Called.WithAsync(["flows", .. words, "--socket", Socket])).With(exitCode);
        Assert.Contains(expected, ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_WithoutAFile_KnowsTheFlowsOfTheRunningGateway()
    {
        // The answer of the backend is translated back, since the flow is there; on the way of a packet of no flow it stays what it is.
        Ended known = await CallAsync("explain", "--port", "lan", "--hex", Convert.ToHexString(Answer(4000)), "--json"), unknown = await CallAsync("explain", "--port", "lan", "--hex", Convert.ToHexString(Answer(5000)), "--json");
        Assert.Equal(["203.0.113.53", "10.1.0.11"], [SourceOf(known), SourceOf(unknown)]);
        Assert.Contains("transmit", (await CallAsync("explain", "--port", "lan", "--hex", Convert.ToHexString(Answer(4000)))).Output, StringComparison.Ordinal);
        Assert.Equal(6, _engine.ReadFlows().Count);
    }

    [Fact]
    public async Task Explain_WithoutAFile_SaysWhatIsWrong()
    {
        string hex = Convert.ToHexString(Answer(4000));
        Assert.Contains("the ports are wan, lan", (await Called.WithAsync("explain", "--port", "x", "--hex", hex, "--socket", Socket)).With(ExitCode.Failed).Error, StringComparison.Ordinal);
        Assert.Contains("name its socket by --socket", (await Called.WithAsync("explain", "--port", "lan", "--hex", hex, "--socket", _folder["none"])).With(ExitCode.Failed).Error, StringComparison.Ordinal);
        Assert.Contains("another station", (await CallAsync("explain", "--port", "wan", "--hex", hex)).Error, StringComparison.Ordinal);
    }

    private string Socket => _folder["gateway.sock"];

    private static byte[] Query(ushort port) => PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "203.0.113.53").Udp(port, 53).Payload("query").Build();

    private static byte[] Answer(ushort port) => PacketBuilder.Ethernet(BackendMac, LanMac).Ipv4("10.1.0.11", Client).Udp(5353, port).Payload("answer").Build();

    private static string SourceOf(Ended ended)
    {
        using var json = JsonDocument.Parse(ended.Output);
        byte[] leaves = Convert.FromHexString(json.RootElement.GetProperty("frame").GetString()!);
        return IpAddress.FromV4(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(leaves.AsSpan(26))).ToString();
    }

    private async Task<Ended> CallAsync(params string[] words) => (await Called.WithAsync([.. words, "--socket", Socket])).With(ExitCode.Ok);
}
