using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>A host with IPv4 reaches servers that it knows by IPv4 addresses, and that speak IPv6 alone; kernels at both ends check every sum.</summary>
public sealed class SiitTests(GatewayBed bed) : GatewayTest(bed)
{
    private const string Prefix = "2001:db8:46::", Server = "198.51.100.40", Other = "198.51.100.41";

    internal override GatewayConfiguration Configuration { get; } = new()
    {
        More = $$"""
            siit:
              prefix: "{{Prefix}}/96"
              mappings:
                - { v4: {{Server}}, v6: "{{TestNetwork.Address6(0)}}" }
                - { v4: {{Other}}, v6: "{{TestNetwork.Address6(1)}}" }

            """,
    };

    [SystemFact("ping", "traceroute", "curl", "nginx", "socat")]
    public async Task PingAndTraceroute_BothWays_SeeTheWay()
    {
        // In fragments from both sides, too; and from one server to the other by its IPv4 address.
        foreach (string size in new[] { "56", "1400", "5000" })
        {
            await PingAsync(Bed.Network.Client, "-4", size, Server);
            await PingAsync(Bed.Network.Backend(0), "-6", size, Prefix + TestNetwork.ClientAddress);
            await PingAsync(Bed.Network.Backend(0), "-6", size, Prefix + Other);
        }

        string traced = (await ChildProgram.RunAsync(Bed.Network.Client, ["traceroute", "-4", "-n", "-q", "1", "-w", "20", "-m", "4", "--udp", Server])).MustSucceed().Output;
        Assert.Matches($@"1  {TestNetwork.GatewayOnWan} .*\n *2  {Server} ", traced);
    }

    [SystemFact("curl", "nginx", "socat")]
    public async Task Curl_OfManyMegabytes_ArrivesWhole()
    {
        await using ChildProgram server = ChildProgram.Start(Bed.Network.Backend(0), "socat", "TCP6-LISTEN:8046,fork,reuseaddr", "SYSTEM:read request; echo $SOCAT_PEERADDR; head -c 20000000 /dev/zero");
        string output = "";
        for (int tries = 0; tries < 100 && output.Length == 0; tries++)
        {
            output = (await ChildProgram.RunAsync(Bed.Network.Client, ["curl", "-s", "--http0.9", "-o", "-", "--max-time", "60", $"http://{Server}:8046/"])).Output;
        }

        Assert.StartsWith("[2001:0db8:0046:", output, StringComparison.Ordinal);
        Assert.Equal(20_000_000, output.Count(sent => sent == '\0'));
    }

    private static async Task PingAsync(string from, string family, string size, string to)
    {
        string pinged = (await ChildProgram.RunAsync(from, ["ping", family, "-n", "-c", "3", "-i", "0.1", "-W", "20", "-s", size, to])).MustSucceed().Output;
        Assert.Contains("3 packets transmitted, 3 received, 0% packet loss", pinged, StringComparison.Ordinal);
    }
}
