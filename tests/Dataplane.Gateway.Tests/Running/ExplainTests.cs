using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Packets;
using static Dataplane.Gateway.Tests.Support.TestGateway;

namespace Dataplane.Gateway.Tests.Running;

public sealed class ExplainTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _file;

    public ExplainTests() => _file = _folder.Write("gateway.yaml", Yaml);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ExplainJson_TcpToAService_TellsEveryParsedFieldAndTheDecision()
    {
        byte[] frame = PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "203.0.113.80", ttl: 61, tos: 0x2e)
            .Tcp(40001, 80, TcpFlags.Syn | TcpFlags.Ece).Build();
        string hex = string.Join(' ', frame.Select(one => $"{one:x2}")) + "\n";
        Ended ended = (await TestedProgram.RunAsync(hex, ["explain", _file, "--port", "wan", "--hex", "-", "--json"])).With(ExitCode.Ok);
        JsonElement root = JsonDocument.Parse(ended.Output).RootElement, parsed = root.GetProperty("parsed");
        Assert.Equal("""
            {"destination_mac":"02:00:00:00:01:01","source_mac":"02:00:00:00:00:09","ether_type":"0x0800","vlan_ids":[],
            "source":"198.51.100.9","destination":"203.0.113.80","protocol":6,"source_port":40001,"destination_port":80,"tcp_flags":66,
            "icmp_type":null,"icmp_code":null,"ttl":61,"tos":46,"fragment":"none","network_offset":14,"transport_offset":34,"payload_offset":54,
            "error":null}
            """.ReplaceLineEndings(""), JsonSerializer.Serialize(parsed));
        Assert.Equal("wan", root.GetProperty("port").GetString());
        Assert.Equal(54, root.GetProperty("length").GetInt32());
        Assert.Equal("transmit", root.GetProperty("verdict").GetString());
        Assert.Equal(JsonValueKind.Null, root.GetProperty("reason").ValueKind);
        Assert.Equal("lan", root.GetProperty("out_port").GetString());
        var leaves = ParsedPacket(root);
        Assert.Equal((8080, 60, 46), (leaves.DestinationPort!.Value, leaves.Ttl!.Value, leaves.Tos!.Value));
        Assert.Contains(leaves.Destination.ToString(), new[] { "10.1.0.11", "10.1.0.12" });
        string[] stages = [.. root.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("stage").GetString()!)];
        Assert.Equal(["parse", "ingress", "filter", "balance", "route", "next_hop", "neighbour", "rewrite"], stages);
    }

    [Fact]
    public async Task ExplainJson_TaggedFragmentsOfIpv6_AreTold()
    {
        IReadOnlyList<byte[]> fragments = PacketBuilder.Ethernet(ClientMac, WanMac).Vlan(7, priority: 3)
            .Ipv6(Client6, "2001:db8:48::7", hopLimit: 9, trafficClass: 0x88).Udp(5000, 6000).PayloadOf(200).BuildFragments(64);
        JsonElement first = (await ExplainAsync(fragments[0])).GetProperty("parsed"), later = (await ExplainAsync(fragments[1])).GetProperty("parsed");
        Assert.Equal("first", first.GetProperty("fragment").GetString());
        Assert.Equal(5000, first.GetProperty("source_port").GetInt32());
        Assert.Equal(18 + 40 + 8, first.GetProperty("transport_offset").GetInt32());
        Assert.Equal("later", later.GetProperty("fragment").GetString());
        Assert.Equal(JsonValueKind.Null, later.GetProperty("source_port").ValueKind);
        foreach (JsonElement parsed in new[] { first, later })
        {
            Assert.Equal([7], parsed.GetProperty("vlan_ids").EnumerateArray().Select(id => id.GetInt32()));
            Assert.Equal("0x86dd", parsed.GetProperty("ether_type").GetString());
            Assert.Equal([17, 9, 0x88], new[] { "protocol", "ttl", "tos" }.Select(name => parsed.GetProperty(name).GetInt32()));
            Assert.Equal((Client6, "2001:db8:48::7"), (parsed.GetProperty("source").GetString(), parsed.GetProperty("destination").GetString()));
        }
    }

    [Fact]
    public async Task Explain_ForPeople_HasALinePerStageAndTheEnd()
    {
        byte[] frame = PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "48.1.2.3").Tcp(40010, 22).Build();
        Ended ended = (await Called.WithAsync("explain", _file, "--port=wan", "--hex", Convert.ToHexString(frame))).With(ExitCode.Ok);
        Assert.Equal("54 bytes on wan: TCP 198.51.100.9 port 40010 > 48.1.2.3 port 22", ended.Lines[0]);
        Assert.Matches("^  parse +parsed +ether type 0x0800, network header at byte 14, transport header at byte 34 of 54 bytes$", ended.Lines[1]);
        Assert.Contains(ended.Lines, line => line.StartsWith("  filter ", StringComparison.Ordinal) && line.Contains("no-ssh", StringComparison.Ordinal));
        Assert.Equal("  => dropped: filter_rule", ended.Lines[^1]);
        Assert.Empty(ended.Error);
    }

    [Fact]
    public async Task Explain_PacketForAnotherStation_SaysWhichAddressThePortListensTo()
    {
        byte[] frame = PacketBuilder.Ethernet(ClientMac, "02:00:00:00:77:77").Ipv4(Client, "48.1.2.3").Udp(1, 2).Build();
        Ended ended = (await Called.WithAsync("explain", _file, "--port", "wan", "--hex", Convert.ToHexString(frame))).With(ExitCode.Ok);
        Assert.Equal("  => dropped: not_for_us", ended.Lines[^1]);
        Assert.Equal($"The packet is for another station: port wan listens to {WanMac}.\n", ended.Error);
    }

    [Fact]
    public async Task Explain_CaptureFile_TakesThePacketThatIsAskedFor()
    {
        string capture = _folder.WriteCapture("in.pcap", TestPackets.All);
        for (int i = 0; i < TestPackets.All.Count; i++)
        {
            Ended ended = (await Called.WithAsync("explain", _file, "--port", "wan", "--pcap", capture, "--packet", $"{i + 1}", "--json")).With(ExitCode.Ok);
            Assert.Equal(TestPackets.All[i].Length, JsonDocument.Parse(ended.Output).RootElement.GetProperty("length").GetInt32());
        }

        Ended beyond = (await Called.WithAsync("explain", _file, "--port", "wan", "--pcap", capture, "--packet", "99")).With(ExitCode.Usage);
        Assert.Equal($"dataplane explain: --packet 99: {capture} holds {TestPackets.All.Count} packets. See dataplane explain --help.\n", beyond.Error);
    }

    [Theory]
    [InlineData("--port wam --hex 00", ExitCode.Usage, "--port \"wam\": there is no such port; the ports are wan, lan.")]
    [InlineData("--port wan", ExitCode.Usage, "Say which packet: either --hex BYTES or --pcap FILE.")]
    [InlineData("--port wan --hex 00 --pcap x", ExitCode.Usage, "Say which packet: either --hex BYTES or --pcap FILE.")]
    [InlineData("--port wan --hex 00 --packet 1", ExitCode.Usage, "--packet belongs to --pcap.")]
    [InlineData("--port wan --pcap missing.pcap", ExitCode.Failed, "--pcap \"missing.pcap\": there is no such file.")]
    public async Task Explain_WrongWords_SaysWhat(string words, int exitCode, string message) =>
        Assert.Equal($"dataplane explain: {message}{(exitCode == ExitCode.Usage ? " See dataplane explain --help." : "")}\n",
            (await Called.WithAsync(["explain", _file, .. words.Split(' ')])).With(exitCode).Error);

    private static Telemetry.ParsedPacket ParsedPacket(JsonElement root) =>
        Telemetry.ParsedPacket.Parse(Convert.FromHexString(root.GetProperty("frame").GetString()!));

    private async Task<JsonElement> ExplainAsync(byte[] frame) => JsonDocument.Parse(
        (await Called.WithAsync("explain", _file, "--port", "wan", "--json", "--hex", Convert.ToHexString(frame))).With(ExitCode.Ok).Output).RootElement;
}
