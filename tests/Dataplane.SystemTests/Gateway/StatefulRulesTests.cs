using System.Globalization;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Rules that ask for states, before what real programs send: nothing of theirs is refused, and nothing that scanners make up gets through.</summary>
public sealed class StatefulRulesTests(GatewayBed bed) : GatewayTest(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new()
    {
        FilterDefault = "deny",
        Rules =
        [
            "name: known, action: allow, state: [ established, related ]",
            "name: out, action: allow, state: new, port: lan",
            $"name: web, action: allow, state: new, port: wan, protocol: tcp, to: {TestNetwork.Address(0)}, to_port: 80",
            $"name: web6, action: allow, state: new, port: wan, protocol: tcp, to: \"{TestNetwork.Address6(0)}\", to_port: 80",
            $"name: service, action: allow, state: new, protocol: tcp, to: {GatewayConfiguration.Service}, to_port: 80",
            $"name: service6, action: allow, state: new, protocol: tcp, to: \"{GatewayConfiguration.Service6}\", to_port: 80",
        ],
    };

    [SystemTheory("curl", "nginx", "socat", "iperf3", "ping")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Traffic_ThatIsAllowedToBegin_PassesWithoutASegmentRefused(int version)
    {
        string direct = version == 4 ? TestNetwork.Address(0) : $"[{TestNetwork.Address6(0)}]";
        foreach (string host in new[] { direct, Service(version) })
        {
            ProgramResult loaded = await Bed.AtClientAsync("curl", "-sS", "-m", "20", "-r", "0-9999999", "-o", "/dev/null", "-w", "%{size_download}", $"http://{host}/big");
            Assert.Equal("10000000", loaded.MustSucceed().Output.Trim());
        }

        (await ChildProgram.RunAsync(Bed.Network.Backend(1), ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "10", "-s", "4000", Outside(version)])).MustSucceed();
        Assert.Equal("{}", (await Gateway.ReadStatusAsync()).GetProperty("connections").GetProperty("invalid").GetRawText());

        await using (ChildProgram server = ChildProgram.Start(Bed.Network.Client, "iperf3", "-s", "-1"))
        {
            await AwaitListeningAsync(5201);
            string sent = (await ChildProgram.RunAsync(Bed.Network.Backend(1), ["iperf3", "-c", Outside(version), "-t", "1", "-J"])).MustSucceed().Output;
            using JsonDocument report = JsonDocument.Parse(sent);
            Assert.True(report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetDouble() > 1_000_000, sent);
        }

        JsonElement connections = (await Gateway.ReadStatusAsync()).GetProperty("connections");

        // iperf3 closes with data on its way, and the kernel answers each segment of that by a reset with the number which the segment acknowledged. Those from
        // before its FIN are older than what was acknowledged when they pass, and the other end would take no notice of them either: nothing else is refused.
        Assert.DoesNotContain(connections.GetProperty("invalid").EnumerateObject(), reason => reason.Name != "reset_out_of_window");
        Assert.True(connections.GetProperty("flows").GetInt64() >= 4, connections.GetRawText());
    }

    [SystemTheory("nmap", "curl", "nginx", "socat", "ping")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Scans_FromOutside_FindNothingButWhatMayBegin(int version)
    {
        Assert.Matches(@"80/tcp\s+open\s+http\n81/tcp\s+filtered\s", await ScanAsync(version, "-sS", "80,81"));
        Assert.Matches(@"80/tcp\s+filtered\s.*\n81/tcp\s+filtered\s", await ScanAsync(version, "-sA", "80,81"));
        Assert.Matches(@"80/tcp\s+open\|filtered\s.*\n81/tcp\s+open\|filtered\s", await ScanAsync(version, "-sX", "80,81"));
        Assert.NotEqual(0, (await ChildProgram.RunAsync(Bed.Network.Client, ["ping", "-n", "-c", "1", "-W", "1", version == 4 ? TestNetwork.Address(1) : TestNetwork.Address6(1)])).ExitCode);
        JsonElement invalid = (await Gateway.ReadStatusAsync()).GetProperty("connections").GetProperty("invalid");
        Assert.True(invalid.GetProperty("no_connection").GetInt64() >= 2 && invalid.GetProperty("bad_flags").GetInt64() >= 2, invalid.GetRawText());
    }

    private static string Outside(int version) => version == 4 ? TestNetwork.ClientAddress : TestNetwork.ClientAddress6;

    private async Task<string> ScanAsync(int version, string kind, string ports)
    {
        string[] target = version == 4 ? [TestNetwork.Address(0)] : ["-6", TestNetwork.Address6(0)];
        return (await ChildProgram.RunAsync(Bed.Network.Client, ["nmap", kind, "-n", "-Pn", "--max-retries", "0", "--max-rtt-timeout", "500ms", "-p", ports, .. target])).MustSucceed().Output;
    }

    private async Task AwaitListeningAsync(int port)
    {
        for (int tries = 0; tries < 400; tries++)
        {
            string sockets = (await ChildProgram.RunAsync(Bed.Network.Client, ["ss", "-Hlnt"])).MustSucceed().Output;
            if (sockets.Contains(string.Create(CultureInfo.InvariantCulture, $":{port} "), StringComparison.Ordinal))
                return;
            await Task.Delay(25);
        }

        Assert.Fail("the server outside does not listen");
    }
}
