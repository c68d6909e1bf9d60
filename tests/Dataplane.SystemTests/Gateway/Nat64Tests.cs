using System.Globalization;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>A host that is asked to use IPv6 only, and one outside that has IPv4 only: the tools people use reach it behind the prefix.</summary>
public sealed class Nat64Tests(GatewayBed bed) : GatewayTest(bed)
{
    private const string Prefix = "2001:db8:64::", Server = Prefix + TestNetwork.ClientAddress, Pool = "198.51.100.20";

    internal override GatewayConfiguration Configuration { get; } = new()
    {
        Nat = [$"inside: lan, outside: wan, nat64: \"{Prefix}/96\", pool: [ {Pool} ], mapping: endpoint_independent"],
    };

    [SystemFact("ping", "traceroute", "curl", "nginx", "socat")]
    public async Task PingAndTraceroute_SeeTheWay()
    {
        foreach (string size in new[] { "56", "1400", "5000" })
        {
            // The longer answers may be fragmented, and are, into what every IPv6 link carries; the longest messages come in fragments from both sides.
            string pinged = (await ChildProgram.RunAsync(Bed.Network.Backend(1), ["ping", "-6", "-n", "-c", "5", "-i", "0.2", "-W", "20", "-s", size, Server])).MustSucceed().Output;
            Assert.Contains("5 packets transmitted, 5 received, 0% packet loss", pinged, StringComparison.Ordinal);
        }

        foreach (string method in new[] { "--udp", "--icmp", "--tcp" })
        {
            string traced = (await ChildProgram.RunAsync(Bed.Network.Backend(2), ["traceroute", "-6", "-n", "-q", "1", "-w", "20", "-m", "4", method, Server])).MustSucceed().Output;
            Assert.Matches($@"1  {TestNetwork.GatewayOnLan6} .*\n *2  2001:db8:64::c633:6464 ", traced);
        }
    }

    [SystemFact("curl", "nginx", "socat")]
    public async Task Curl_OfManyMegabytes_ArrivesWhole()
    {
        // A listener of IPv4 alone, that tells whom it sees.
        await using ChildProgram server = ChildProgram.Start(Bed.Network.Client, "socat", "TCP4-LISTEN:8064,fork,reuseaddr",
            "SYSTEM:read request; echo $SOCAT_PEERADDR; head -c 20000000 /dev/zero");
        await AwaitListeningAsync(":8064 ");
        string[] curl = ["curl", "-6", "-s", "-g", "--http0.9", "-o", "-", "--max-time", "60", $"http://[{Server}]:8064/"];
        string output = (await ChildProgram.RunAsync(Bed.Network.Backend(0), curl)).MustSucceed().Output;
        Assert.StartsWith(Pool + "\n", output, StringComparison.Ordinal);
        Assert.Equal(20_000_000, output.Count(sent => sent == '\0'));
    }

    [SystemFact("iperf3", "curl", "nginx", "socat")]
    public async Task Iperf3_TcpAndLargeDatagramsBothWays_Arrive()
    {
        await using ChildProgram server = ChildProgram.Start(Bed.Network.Client, "iperf3", "-4", "-s", "-p", "5264");
        await AwaitListeningAsync(":5264 ");
        string[] common = ["iperf3", "-6", "-c", Server, "-p", "5264", "-J"];
        foreach (string[] options in new string[][] { ["-n", "20M"], ["-n", "20M", "-R"] })
        {
            (await ChildProgram.RunAsync(Bed.Network.Backend(0), [.. common, .. options])).MustSucceed();
        }

        // Datagrams of 1,300 bytes as they are, and of 4,000 in fragments.
        foreach (string[] options in new string[][] { ["-l", "1300"], ["-l", "1300", "-R"], ["-l", "4000"], ["-l", "4000", "-R"] })
        {
            string report = (await ChildProgram.RunAsync(Bed.Network.Backend(0), [.. common, "-u", "-b", "4M", "-n", "400K", .. options])).MustSucceed().Output;
            using var json = System.Text.Json.JsonDocument.Parse(report);
            double lost = json.RootElement.GetProperty("end").GetProperty("sum").GetProperty("lost_percent").GetDouble();
            Assert.True(lost < 50, string.Create(CultureInfo.InvariantCulture, $"{lost} % of the datagrams lost with {string.Join(' ', options)}"));
        }
    }

    private async Task AwaitListeningAsync(string what)
    {
        for (int tries = 0; tries < 400; tries++)
        {
            if ((await ChildProgram.RunAsync(Bed.Network.Client, ["ss", "-Hlnt"])).MustSucceed().Output.Contains(what, StringComparison.Ordinal))
                return;
            await Task.Delay(25);
        }

        Assert.Fail("the server outside does not listen");
    }
}
