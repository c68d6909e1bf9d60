using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Streams;

/// <summary>Two data planes with a stream between them that carries real traffic.</summary>
public sealed class StreamLinkTests(StreamNetwork network) : IClassFixture<StreamNetwork>
{
    private const string Marker = "these bytes must not be seen on the way";

    [SystemTheory("ping", "curl", "iperf3", "tcpdump", "python3", "grep")]
    [InlineData("192.0.2.1:7000", true)]
    [InlineData("[2001:db8:f::1]:7000", true)]
    [InlineData("[2001:db8:f::1]:7001", false)]
    public async Task Link_BetweenTwoDataPlanes_CarriesWhatIsSentAndShowsItToNobodyWithTls(string endpoint, bool isSecured)
    {
        string path = Path.Combine(network.Folder, "file");
        byte[] content = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(Marker, 100_000)));
        await File.WriteAllBytesAsync(path, content);
        await using var web = ChildProgram.Start(network["east"], "python3", "-u", "-m", "http.server", "--bind", "::", "--directory", network.Folder, "80");
        await web.AwaitLineAsync(line => line.StartsWith("Serving HTTP", StringComparison.Ordinal));
        await using PacketCapture capture = await PacketCapture.StartAsync(network["gw2"], "under", network.NewPath("under.pcap"), "inout");
        string at = $"endpoint: \"{endpoint}\"";
        await using GatewayProgram one = await StartAsync(1, $"role: server, {at}", isSecured), two = await StartAsync(2, at, isSecured);
        JsonElement far = await two.AwaitPortAsync("far", port => port.GetProperty("link").GetString() == "up");
        Assert.Equal(isSecured ? $"{endpoint}, TLS 1.3, TLS_AES_256_GCM_SHA384, CN=gw1" : endpoint, far.GetProperty("description").GetString());

        foreach (string target in new[] { StreamNetwork.East, StreamNetwork.East6 })
        {
            ProgramResult ping = await AtWestAsync("ping", "-n", "-c", "5", "-i", "0.2", "-W", "20", target);
            Assert.Contains("5 received, 0% packet loss", ping.MustSucceed().Output, StringComparison.Ordinal);
            string host = target.Contains(':', StringComparison.Ordinal) ? $"[{target}]" : target;
            ProgramResult got = await AtWestAsync("sh", "-c", $"curl -sS --fail --max-time 150 'http://{host}/file' | sha256sum");
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), got.MustSucceed().Output.Split(' ')[0]);
        }

        // The same search finds it in the clear, so that not finding it means something.
        await capture.StopAsync("-c", "1");
        ProgramResult seen = await ChildProgram.RunAsync(network["gw2"], ["grep", "-ac", Marker, capture.Path]);
        Assert.Equal(isSecured ? (1, "0") : (0, "seen"), (seen.ExitCode, isSecured ? seen.Output.Trim() : "seen"));
        Assert.True(new FileInfo(capture.Path).Length > 2 * content.Length);

        foreach (string target in new[] { StreamNetwork.East, StreamNetwork.East6 })
            await CarryIperfAsync(target);
        await AssertAllArrivedAsync(one, two);
        await one.StopAsync();
        far = await two.AwaitPortAsync("far", port => port.GetProperty("link").GetString() == "down");
        Assert.True(far.GetProperty("events").GetProperty("peer_closed").GetInt64() == 1, far.ToString());
        await two.StopAsync();
    }

    [SystemFact("ping")]
    public async Task Link_PeerIsKilledAndComesBack_RecoversByItself()
    {
        string at = "endpoint: 192.0.2.1:7002";
        await using GatewayProgram one = await StartAsync(1, $"role: server, {at}", isSecured: true);
        for (int round = 0; round < 2; round++)
        {
            await using (GatewayProgram two = await StartAsync(2, at, isSecured: true))
            {
                await one.AwaitPortAsync("far", port => port.GetProperty("link").GetString() == "up");
                ProgramResult ping = await AtWestAsync("ping", "-n", "-c", "2", "-i", "0.2", "-W", "20", StreamNetwork.East6);
                Assert.Contains("2 received, 0% packet loss", ping.MustSucceed().Output, StringComparison.Ordinal);
            }

            JsonElement far = await one.AwaitPortAsync("far", port => port.GetProperty("link").GetString() == "down");
            Assert.NotEqual("", far.GetProperty("reason").GetString());
        }

        await one.StopAsync();
    }

    private static bool IsReceived(JsonElement sender, JsonElement receiver) => Figure(sender, "transmitted_packets") == Figure(receiver, "received_packets");

    private static long Figure(JsonElement port, string name) => port.GetProperty(name).GetInt64();

    private Task<GatewayProgram> StartAsync(int number, string stream, bool isSecured)
    {
        if (isSecured)
        {
            StreamTls tls = network.Certificates.Make($"gw{number}", $"spiffe://test/gw{3 - number}");
            stream += $", tls: {{ certificate: {tls.Certificate}, key: {tls.Key}, ca: {tls.Ca}, peer: \"{tls.Peer}\" }}";
        }

        return GatewayProgram.StartAsync(network[$"gw{number}"], network.NewPath($"gw{number}.yaml"), StreamNetwork.Gateway(number, stream));
    }

    private Task<ProgramResult> AtWestAsync(params string[] command) => ChildProgram.RunAsync(network["west"], command);

    private async Task CarryIperfAsync(string target)
    {
        await using var server = ChildProgram.Start(network["east"], "iperf3", "--server", "--one-off", "--forceflush");
        await server.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
        ProgramResult result = (await AtWestAsync("iperf3", "--client", target, "--time", "2", "--json")).MustSucceed();
        using var report = JsonDocument.Parse(result.Output);
        double bits = report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble();
        Assert.True(bits > 0, string.Create(CultureInfo.InvariantCulture, $"{bits} bit/s"));
    }

    /// <summary>Every frame that one end of the stream took from its engine, the other has handed to its own; nothing was lost in between.</summary>
    private static async Task AssertAllArrivedAsync(GatewayProgram one, GatewayProgram two)
    {
        JsonElement left = default, right = default;
        for (int look = 0; look < 50 && (look == 0 || !(IsReceived(left, right) && IsReceived(right, left))); look++)
            (left, right) = (await one.ReadPortAsync("far"), await two.ReadPortAsync("far"));
        Assert.True(IsReceived(left, right) && IsReceived(right, left), $"{left}\n{right}");
        Assert.Equal((0, 0, 0, 0), (Figure(left, "transmit_lost"), Figure(right, "transmit_lost"), Figure(left, "errors"), Figure(right, "errors")));
    }
}
