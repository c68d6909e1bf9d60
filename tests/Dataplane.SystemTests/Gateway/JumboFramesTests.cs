using System.Globalization;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>AF_XDP ports on links with an MTU of 9,000 bytes: frames of several buffers, in and out.</summary>
public sealed class JumboFramesTests(GatewayBed bed) : GatewayTest(bed), IAsyncLifetime
{
    private const int Mtu = 9000;

    internal override GatewayConfiguration Configuration { get; } = new() { Kind = "af_xdp", WanMtu = Mtu, LanMtu = Mtu };

    async Task IAsyncLifetime.InitializeAsync()
    {
        if (Programs.WhyMissing(["nginx", "socat", "curl"]) is null && Native.Tests.Privileges.Missing is null)
            await Bed.Network.SetMtuAsync(Mtu);
        await InitializeAsync();
    }

    [SystemFact("ping", "curl", "nginx", "socat")]
    public async Task Backend_PingLongerThanThePortTakes_IsDroppedByNameAndTheRestGoesOn()
    {
        // The links take more than they did when the ports were opened.
        await Bed.Network.SetMtuAsync(40_000);
        try
        {
            foreach (int version in new[] { 4, 6 })
            {
                string address = version == 4 ? TestNetwork.Address(1) : TestNetwork.Address6(1);
                ProgramResult result = await Bed.AtClientAsync("ping", $"-{version}", "-M", "do", "-c", "5", "-i", "0.1", "-W", "1", "-s", "20000", address);
                Assert.Contains("0 received", result.Output, StringComparison.Ordinal);
                Assert.Contains("5 received", (await Bed.AtClientAsync("ping", $"-{version}", "-c", "5", "-i", "0.1", "-W", "5", "-s", "8000", address)).MustSucceed().Output, StringComparison.Ordinal);
            }

            Assert.Equal(10, (await Gateway.ReadStatusAsync()).GetProperty("dropped").GetProperty("frame_too_long").GetInt64());
        }
        finally
        {
            await Bed.Network.SetMtuAsync(Mtu);
        }
    }

    [SystemTheory("ping", "curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Backend_BigPing_ArrivesWhole(int version)
    {
        string address = version == 4 ? TestNetwork.Address(1) : TestNetwork.Address6(1);
        foreach (int bytes in new[] { 8000, Mtu - (version == 4 ? 28 : 48) })
        {
            ProgramResult result = await Bed.AtClientAsync(
                "ping", $"-{version}", "-M", "do", "-c", "5", "-i", "0.1", "-W", "5", "-s", bytes.ToString(CultureInfo.InvariantCulture), address);
            Assert.Contains("5 received", result.MustSucceed().Output, StringComparison.Ordinal);
        }

        JsonElement wan = await Gateway.ReadPortAsync("wan");
        Assert.Contains("frames in several buffers", wan.GetRawText(), StringComparison.Ordinal);
    }

    [SystemTheory("curl", "nginx", "socat", "sha256sum")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_HundredMegabytes_HashIsRightAndSegmentsAreLong(int version)
    {
        long before = (await Gateway.ReadPortAsync("wan")).GetProperty("transmitted_packets").GetInt64();
        ProgramResult result = await Bed.AtClientAsync("sh", "-c", $"curl -sS --fail --max-time 150 'http://{Service(version)}/big' | sha256sum");
        Assert.Equal(Bed.BigHash, result.MustSucceed().Output.Split(' ')[0]);
        long packets = (await Gateway.ReadPortAsync("wan")).GetProperty("transmitted_packets").GetInt64() - before;

        // With 1,500 bytes it would be 72,000.
        Assert.InRange(packets, GatewayBed.BigBytes / Mtu, 2 * GatewayBed.BigBytes / Mtu);
    }
}
