using System.Globalization;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Hosts inside speak to one outside that only ever sees the gateway.</summary>
public sealed class SourceNatTests(GatewayBed bed) : GatewayTest(bed)
{
    private const string Pool = "198.51.100.20", Pool6 = "2001:db8:1::20";

    internal override GatewayConfiguration Configuration { get; } = new() { Offload = false, Nat = [$"inside: lan, outside: wan, pool: [ {Pool}, \"{Pool6}\" ]"] };

    [SystemTheory("curl", "nginx", "socat", "tcpdump")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Tcp_FromThreeHostsOfOnePort_ComesFromThePoolAndGetsItsAnswers(int version)
    {
        // The server outside answers each connection with the address that it sees, then with as much as a window has to be opened for.
        int port = 8000 + version;
        await using ChildProgram server = ChildProgram.Start(Bed.Network.Client, "socat", string.Create(CultureInfo.InvariantCulture,
            $"TCP{version}-LISTEN:{port},fork,reuseaddr"), "SYSTEM:echo $SOCAT_PEERADDR; head -c 300000 /dev/zero");
        await AwaitListeningAsync(port);
        await using PacketCapture outside = await PacketCapture.StartAsync(Bed.Network.Client, "c0", Bed.NewPath("wan.pcap"), filter: "tcp");
        for (int host = 0; host < TestNetwork.Backends; host++)
        {
            string target = string.Create(CultureInfo.InvariantCulture, $"TCP{version}:{(version == 6 ? $"[{Outside(version)}]" : Outside(version))}:{port},sourceport=40000");
            ProgramResult result = await ChildProgram.RunAsync(Bed.Network.Backend(host), ["socat", "-u", target, "-"]);
            string output = result.MustSucceed().Output;
            string seen = output[..output.IndexOf('\n', StringComparison.Ordinal)];
            Assert.Equal(version == 4 ? Pool : "[2001:0db8:0001:0000:0000:0000:0000:0020]", seen);
            Assert.Equal(300_000, output.Count(sent => sent == '\0'));
        }

        Assert.True(await outside.AssertChecksumsAsync() >= 30);
    }

    [SystemTheory("curl", "nginx", "socat", "ping", "traceroute")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task PingAndTraceroute_FromInside_SeeTheWayAsItIs(int version)
    {
        string pinged = (await ChildProgram.RunAsync(Bed.Network.Backend(1), ["ping", "-n", "-c", "5", "-i", "0.2", "-W", "20", Outside(version)])).MustSucceed().Output;
        Assert.Contains("5 packets transmitted, 5 received, 0% packet loss", pinged, StringComparison.Ordinal);
        foreach (string method in new[] { "--udp", "--icmp", "--tcp" })
        {
            string traced = (await ChildProgram.RunAsync(Bed.Network.Backend(2), ["traceroute", "-n", "-q", "1", "-w", "20", "-m", "4", method, Outside(version)]))
                .MustSucceed().Output;
            string gateway = version == 4 ? TestNetwork.GatewayOnLan : TestNetwork.GatewayOnLan6;
            Assert.Matches($@"1  {gateway} .*\n *2  {Outside(version)} ", traced);
        }
    }

    private static string Outside(int version) => version == 4 ? TestNetwork.ClientAddress : TestNetwork.ClientAddress6;

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
