using System.Security.Cryptography;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Both hosts believe in 1,500 bytes; the gateway's links carry fewer. The kernels learn so from the gateway's messages, or nothing big arrives.</summary>
public sealed class PathMtuTests(GatewayBed bed) : GatewayTest(bed)
{
    private const int UploadBytes = 2_000_000;

    internal override GatewayConfiguration Configuration { get; } = new() { WanMtu = 1400, LanMtu = 1380 };

    [SystemTheory("curl", "nginx", "socat", "sha256sum")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_DownloadOverSmallerLink_Arrives(int version)
    {
        ProgramResult result = await Bed.AtClientAsync("sh", "-c", $"curl -sS --fail --max-time 150 'http://{Service(version)}/big' | sha256sum");
        Assert.Equal(Bed.BigHash, result.MustSucceed().Output.Split(' ')[0]);
    }

    [SystemTheory("curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_UploadOverSmallerLink_Arrives(int version)
    {
        string path = Bed.NewPath("upload");
        var content = new byte[UploadBytes];
        new Random(version).NextBytes(content);
        await File.WriteAllBytesAsync(path, content);
        string place = $"/upload/v{version}";
        (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "150", "-T", path, $"http://{Service(version)}{place}")).MustSucceed();
        byte[] arrived = await File.ReadAllBytesAsync(Path.GetDirectoryName(path) + place);
        Assert.Equal(Convert.ToHexString(SHA256.HashData(content)), Convert.ToHexString(SHA256.HashData(arrived)));
    }

    [SystemFact("ping", "curl", "nginx", "socat")]
    public async Task Backend_BigPing_GatewayNamesTheMtu()
    {
        ProgramResult result = await Bed.AtClientAsync("ping", "-M", "do", "-c", "1", "-W", "20", "-s", "1472", TestNetwork.Address(0));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"From {TestNetwork.GatewayOnWan} icmp_seq=1 Frag needed and DF set (mtu = 1380)", result.Output, StringComparison.Ordinal);
        (await Bed.AtClientAsync("ping", "-M", "do", "-c", "1", "-W", "20", "-s", "1352", TestNetwork.Address(0))).MustSucceed();
    }

    [SystemFact("ping", "curl", "nginx", "socat")]
    public async Task Backend_BigPing6_GatewayNamesTheMtu()
    {
        ProgramResult result = await Bed.AtClientAsync("ping", "-6", "-M", "do", "-c", "1", "-W", "20", "-s", "1452", TestNetwork.Address6(0));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"From {TestNetwork.GatewayOnWan6} icmp_seq=1 Packet too big: mtu=1380", result.Output, StringComparison.Ordinal);
        (await Bed.AtClientAsync("ping", "-6", "-M", "do", "-c", "1", "-W", "20", "-s", "1332", TestNetwork.Address6(0))).MustSucceed();
    }

    [SystemFact("ping", "curl", "nginx", "socat")]
    public async Task Backend_BigPingThatMayBeFragmented_Arrives()
    {
        // 1,500 bytes without DF: the gateway fragments for the smaller link, the backend puts it together again, and so on the way back.
        ProgramResult result = await Bed.AtClientAsync("ping", "-M", "dont", "-c", "3", "-i", "0.2", "-W", "20", "-s", "1472", TestNetwork.Address(1));
        Assert.Contains("3 received", result.MustSucceed().Output, StringComparison.Ordinal);
    }
}
