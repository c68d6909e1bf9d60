using System.Globalization;
using System.Text;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>curl at the client, nginx at three backends, the service address in between.</summary>
public sealed class BalancingTests(GatewayBed bed) : GatewayTest(bed)
{
    private const int Connections = 3000;
    private static readonly double[] s_weights = [0.5, 0.25, 0.25];

    internal override GatewayConfiguration Configuration { get; } = new() { Offload = false };

    [SystemTheory("curl", "nginx", "socat", "tcpdump")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_ThreeThousandConnections_SharedByWeight(int version)
    {
        await using PacketCapture wan = await PacketCapture.StartAsync(Bed.Network.Client, "c0", Bed.NewPath("wan.pcap"));
        var lan = new List<PacketCapture>();
        for (int backend = 0; backend < TestNetwork.Backends; backend++)
            lan.Add(await PacketCapture.StartAsync(Bed.Network.Backend(backend), "e0", Bed.NewPath("lan.pcap")));

        string path = Bed.NewPath("urls");
        await File.WriteAllTextAsync(path, Requests($"http://{Service(version)}/", version == 4 ? 20_000 : 24_000));
        ProgramResult result = (await Bed.AtClientAsync("curl", "-K", path)).MustSucceed();

        // curl ends with the state of its last transfer; that of the others is what it says.
        Assert.Empty(result.Error);
        string[] answers = result.Lines;
        Assert.Equal(Connections, answers.Length);
        for (int backend = 0; backend < TestNetwork.Backends; backend++)
        {
            int count = answers.Count(answer => answer == TestNetwork.BackendName(backend)), wanted = (int)(Connections * s_weights[backend]);
            Assert.True(Math.Abs(count - wanted) <= 0.05 * wanted, $"{TestNetwork.BackendName(backend)}: {count} of {Connections}, wanted {wanted} within 5 %");
        }

        // SYN+ACK, answer and FIN reach the client, three times as many segments or more come to the backends: all with right checksums.
        Assert.True(await wan.AssertChecksumsAsync() >= 3 * Connections);
        int seen = 0;
        foreach (PacketCapture capture in lan)
        {
            seen += await capture.AssertChecksumsAsync();
            await capture.DisposeAsync();
        }

        Assert.True(seen >= 3 * Connections);
    }

    [SystemTheory("curl", "nginx", "socat", "tcpdump")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_UdpEcho_EveryDatagramComesBack(int version)
    {
        await using PacketCapture wan = await PacketCapture.StartAsync(Bed.Network.Client, "c0", Bed.NewPath("wan.pcap"), filter: "udp");
        string target = string.Create(CultureInfo.InvariantCulture, $"UDP{version}:{Service(version)}:{GatewayConfiguration.EchoPort}");
        foreach (int length in new[] { 1, 733, 1452 })
        {
            // The longest fills a packet of IPv6. The client waits so many seconds for the answer after its end of file, whatever comes.
            string sent = new('e', length);
            ProgramResult result = await ChildProgram.RunAsync(Bed.Network.Client, ["socat", "-t", "1", "-", target], sent);
            Assert.Equal(sent, result.MustSucceed().Output.TrimEnd('\n'));
        }

        Assert.True(await wan.AssertChecksumsAsync() >= 3);
    }

    /// <summary>One request a connection, each from a port of its own: the same flows in every run, so that shares depend on the table and not on luck.
    /// Each family has its own ports: one that waits out its end in IPv6 may not be bound in IPv4.</summary>
    private static string Requests(string url, int firstPort)
    {
        var text = new StringBuilder("silent\nshow-error\nfail\n");
        for (int i = 0; i < Connections; i++)
        {
            text.Append(i == 0 ? "" : "next\nsilent\nshow-error\nfail\n");
            text.Append(CultureInfo.InvariantCulture, $"url = \"{url}\"\nlocal-port = {firstPort + i}\nheader = \"Connection: close\"\nmax-time = 60\n");
        }

        return text.ToString();
    }
}
