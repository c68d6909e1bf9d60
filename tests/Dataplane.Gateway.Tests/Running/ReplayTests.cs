using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Packets;
using static Dataplane.Gateway.Tests.Support.TestGateway;

namespace Dataplane.Gateway.Tests.Running;

public sealed class ReplayTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _file;

    public ReplayTests() => _file = _folder.Write("gateway.yaml", Yaml);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Replay_Twice_GivesTheSameBytes()
    {
        byte[] held = PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "10.1.0.77").Udp(1, 2).Build();
        byte[] answer = PacketBuilder.Ethernet("02:00:00:00:00:0b", LanMac).Ipv4("10.1.0.11", Client).Tcp(8080, 40001, TcpFlags.Syn | TcpFlags.Ack).Build();
        string wan = _folder.WriteCapture("in-wan.pcap", [.. TestPackets.All, held, .. TestPackets.All]), lan = _folder.WriteCapture("in-lan.pcap", answer);
        Task<Ended> first = TestedProgram.RunAsync("replay", _file, "--in", $"wan={wan}", "--in", $"lan={lan}", "--out", _folder["one"]);
        Ended second = await TestedProgram.RunAsync("replay", _file, $"--in=lan={lan}", $"--in=wan={wan}", "--out", _folder["two"]);
        Assert.Equal((await first).With(ExitCode.Ok).Output, second.With(ExitCode.Ok).Output);
        string[] names = [.. Directory.GetFiles(_folder["one"]).Select(path => Path.GetFileName(path)).Order()];
        Assert.Equal(["decisions.jsonl", "lan.pcap", "wan.pcap"], names);
        Assert.All(names, name => Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["one"], name)), File.ReadAllBytes(Path.Combine(_folder["two"], name))));

        // A line for every packet that came in, in order, and the accounting says the same.
        JsonElement[] decisions = await DecisionsAsync("one");
        Assert.Equal(Enumerable.Range(1, (TestPackets.All.Count * 2) + 2), decisions.Select(line => line.GetProperty("packet").GetInt32()));
        Assert.Equal($"received                     {decisions.Length}", second.Lines[0]);
        Assert.Equal("held                         0", second.Lines[^1]);
        Assert.True(TemporaryFolder.ReadCapture(Path.Combine(_folder["one"], "lan.pcap")).Count > 10);
    }

    [Theory]
    [InlineData(Yaml)]
    [InlineData("derived")]
    public async Task Explain_EveryWayOfAPacket_IsWhatReplayDoes(string yaml)
    {
        // Without a hardware address for lan in the configuration, both have to derive the same one.
        string derived = Yaml.Replace($"lan: {{ kind: memory, mac: \"{LanMac}\" }}", "lan: { kind: memory }", StringComparison.Ordinal);
        Assert.NotEqual(Yaml, derived);
        string file = _folder.Write("same.yaml", yaml == "derived" ? derived : yaml);
        var reasons = new HashSet<string?>();
        foreach (byte[] packet in TestPackets.All)
        {
            string capture = _folder.WriteCapture("one.pcap", packet);
            (await Called.WithAsync("replay", file, "--in", $"wan={capture}", "--out", _folder["out"])).With(ExitCode.Ok);
            Ended explained = (await Called.WithAsync("explain", file, "--port", "wan", "--pcap", capture, "--json")).With(ExitCode.Ok);
            JsonElement done = Assert.Single(await DecisionsAsync("out")), said = JsonDocument.Parse(explained.Output).RootElement;
            foreach (string name in new[] { "port", "verdict", "reason", "out_port" })
            {
                Assert.Equal(done.GetProperty(name).GetString(), said.GetProperty(name).GetString());
            }

            string?[] frames = [said.GetProperty("frame").GetString(), .. said.GetProperty("originated").EnumerateArray().Select(frame => frame.GetString())];
            IEnumerable<string> left = new[] { "wan.pcap", "lan.pcap" }
                .SelectMany(name => TemporaryFolder.ReadCapture(Path.Combine(_folder["out"], name))).Select(Convert.ToHexStringLower);
            Assert.Equal(frames.OfType<string>().Order(StringComparer.Ordinal), left.Order(StringComparer.Ordinal));
            reasons.Add(done.GetProperty("reason").GetString());
        }

        Assert.True(reasons.Count >= 8, string.Join(", ", reasons));
    }

    [Fact]
    public async Task Replay_OutputOverItsInput_IsRefusedAndTheInputStays()
    {
        string capture = _folder.WriteCapture("wan.pcap", TestPackets.All);
        byte[] before = File.ReadAllBytes(capture);
        Ended ended = (await Called.WithAsync("replay", _file, "--in", $"wan={capture}", "--out", Path.GetDirectoryName(capture)!)).With(ExitCode.Failed);
        Assert.Equal(
            $"dataplane replay: {capture} is an input, and what leaves by port wan would be written over it; write to another directory.\n", ended.Error);
        Assert.Equal(before, File.ReadAllBytes(capture));
    }

    [Fact]
    public async Task Replay_CutOffCapture_TellsWhereAfterReplayingWhatIsThere()
    {
        string capture = _folder.WriteCapture("cut.pcap", TestPackets.All);
        using (FileStream cut = File.OpenWrite(capture))
        {
            cut.SetLength(cut.Length - 1);
        }

        Ended ended = (await Called.WithAsync("replay", _file, "--in", $"wan={capture}", "--out", _folder["out"])).With(ExitCode.Failed);
        Assert.StartsWith($"dataplane replay: {capture}: at byte ", ended.Error, StringComparison.Ordinal);
        Assert.Equal(TestPackets.All.Count - 1, (await DecisionsAsync("out")).Length);
    }

    [Fact]
    public async Task Replay_AllForOtherStations_SaysHowToMendIt()
    {
        string capture = _folder.WriteCapture("in.pcap", PacketBuilder.Ethernet(ClientMac, "02:00:00:00:77:77").Ipv4(Client, "48.1.2.3").Udp(1, 2).Build());
        Ended ended = (await Called.WithAsync("replay", _file, "--in", $"wan={capture}", "--out", _folder["out"])).With(ExitCode.Ok);
        Assert.Equal($"All packets are for other stations: port wan listens to {WanMac}.\n", ended.Error);
    }

    [Theory]
    [InlineData("--in wan --out o", ExitCode.Usage, "--in \"wan\": is not PORT=FILE, such as wan=in.pcap.")]
    [InlineData("--in wam=FILE --out o", ExitCode.Usage, "--in \"wam=FILE\": there is no port wam; the ports are wan, lan.")]
    [InlineData("--in wan=missing --out o", ExitCode.Failed, "--in \"wan=missing\": there is no such file.")]
    [InlineData("--in wan=FILE --in wan=FILE --out o", ExitCode.Usage,
        "--in \"wan=FILE\": port wan has an input already; merge the captures (mergecap, of Wireshark).")]
    [InlineData("--in wan=FILE --out FILE", ExitCode.Usage, "--out \"FILE\": is a file; a directory is needed.")]
    [InlineData("--in wan=FILE --out o --seed -1", ExitCode.Usage, "--seed \"-1\": is not a whole number from 0 to 9223372036854775807.")]
    public async Task Replay_WrongWords_SaysWhat(string words, int exitCode, string message)
    {
        string capture = _folder.WriteCapture("in.pcap", TestPackets.All);
        string[] given = [.. words.Split(' ').Select(word => word.Replace("FILE", capture, StringComparison.Ordinal))];
        Ended ended = (await Called.WithAsync(["replay", _file, .. given])).With(exitCode);
        string help = exitCode == ExitCode.Usage ? " See dataplane replay --help." : "";
        Assert.Equal($"dataplane replay: {message}{help}\n", ended.Error.Replace(capture, "FILE", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Replay_NoCapture_SaysWhatItIsNot()
    {
        Ended ended = (await Called.WithAsync("replay", _file, "--in", $"wan={_file}", "--out", _folder["out"])).With(ExitCode.Failed);
        Assert.Contains("expected the magic number of pcap", ended.Error, StringComparison.Ordinal);
    }

    private async Task<JsonElement[]> DecisionsAsync(string directory) =>
        [.. (await File.ReadAllLinesAsync(Path.Combine(_folder[directory], "decisions.jsonl"))).Select(line => JsonDocument.Parse(line).RootElement)];
}
