using System.Globalization;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Big files with every offload of the kernel on: segments of 64 KB and unfinished checksums come in, packets of the link's size go out.</summary>
public class DownloadTests(GatewayBed bed) : GatewayTest(bed)
{
    [SystemTheory("curl", "nginx", "socat", "ethtool", "sha256sum")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_HundredMegabytes_HashIsRight(int version)
    {
        string features = (await Bed.AtClientAsync("ethtool", "-k", "c0")).MustSucceed().Output;
        Assert.Contains("tcp-segmentation-offload: on", features, StringComparison.Ordinal);
        Assert.Contains("tx-checksumming: on", features, StringComparison.Ordinal);
        ProgramResult result = await Bed.AtClientAsync("sh", "-c", $"curl -sS --fail --max-time 150 'http://{Service(version)}/big' | sha256sum");
        Assert.Equal(Bed.BigHash, result.MustSucceed().Output.Split(' ')[0]);
        Assert.Empty(result.Error);
    }

    [SystemTheory("iperf3", "nginx", "socat", "curl")]
    [InlineData(4, "")]
    [InlineData(4, "--reverse")]
    [InlineData(6, "")]
    [InlineData(6, "--reverse")]
    public async Task Backend_Iperf3_FinishesWithThroughput(int version, string direction)
    {
        await using var server = ChildProgram.Start(Bed.Network.Backend(0), "iperf3", "--server", "--one-off", "--forceflush");
        await server.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
        ProgramResult result = (await Bed.AtClientAsync(
            ["iperf3", "--client", Backend(version, 0), "--time", "2", "--json", .. direction.Length > 0 ? [direction] : Array.Empty<string>()])).MustSucceed();
        using var report = System.Text.Json.JsonDocument.Parse(result.Output);
        double bits = report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble();
        Assert.True(bits > 0, string.Create(CultureInfo.InvariantCulture, $"{bits} bit/s"));
    }
}
