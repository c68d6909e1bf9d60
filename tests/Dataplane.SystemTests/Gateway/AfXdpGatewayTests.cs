using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>The gateway on AF_XDP ports, between programs that know nothing of it. Offloads of the other ends stay as the kernel sets them.</summary>
public sealed class AfXdpGatewayTests(GatewayBed bed) : GatewayTest(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new() { Kind = "af_xdp" };

    [SystemTheory("curl", "nginx", "socat", "tcpdump")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_CurlAndEcho_AnsweredWithRightChecksums(int version)
    {
        await using PacketCapture client = await PacketCapture.StartAsync(Bed.Network.Client, "c0", Bed.NewPath("client.pcap"));
        await using PacketCapture backend = await PacketCapture.StartAsync(Bed.Network.Backend(0), "e0", Bed.NewPath("backend.pcap"));
        var names = new HashSet<string>();
        for (int i = 0; i < 20; i++)
            names.Add((await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "10", $"http://{Service(version)}/")).MustSucceed().Output.Trim());
        Assert.True(names.Count > 1, string.Join(' ', names));
        string address = version == 4 ? GatewayConfiguration.Service : $"[{GatewayConfiguration.Service6}]";
        ProgramResult echo = await Bed.AtClientAsync("sh", "-c", $"echo hello | socat -t 2 - UDP{version}:{address}:{GatewayConfiguration.EchoPort}");
        Assert.Equal("hello\n", echo.MustSucceed().Output);
        Assert.True(await client.AssertChecksumsAsync() > 0);
        Assert.True(await backend.AssertChecksumsAsync() > 0);
    }

    [SystemTheory("ping", "curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Backend_Ping_AnsweredThroughTheGateway(int version) =>
        (await Bed.AtClientAsync("ping", $"-{version}", "-c", "5", "-i", "0.2", "-W", "5", version == 4 ? TestNetwork.Address(1) : TestNetwork.Address6(1))).MustSucceed();

    [SystemTheory("curl", "nginx", "socat", "sha256sum")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_HundredMegabytes_HashIsRight(int version)
    {
        ProgramResult result = await Bed.AtClientAsync("sh", "-c", $"curl -sS --fail --max-time 150 'http://{Service(version)}/big' | sha256sum");
        Assert.Equal(Bed.BigHash, result.MustSucceed().Output.Split(' ')[0]);
        Assert.Empty(result.Error);
    }
}
