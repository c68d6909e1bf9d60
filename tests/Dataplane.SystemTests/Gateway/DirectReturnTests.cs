using System.Globalization;
using System.Security.Cryptography;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Direct server return with the Linux kernel at the backends: they have the service's addresses themselves, on a loopback interface.</summary>
public sealed class DirectReturnTests(GatewayBed bed) : GatewayTest(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new() { Forward = "dsr" };

    [SystemTheory("curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_ByItsOwnAddressAtTheBackends_AnswersRequestsAndUploads(int version)
    {
        string address = version == 4 ? $"{GatewayConfiguration.Service}/32" : $"{GatewayConfiguration.Service6}/128";
        for (int backend = 0; backend < TestNetwork.Backends; backend++)
            await TestNetwork.IpAsync(Bed.Network.Backend(backend), $"addr replace {address} dev lo{(version == 6 ? " nodad" : "")}\n");
        string[] servers = (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "20", "-H", "Connection: close", $"http://{Service(version)}/?n=[1-60]")).MustSucceed().Lines;
        Assert.Equal(60, servers.Length);
        Assert.Equal(TestNetwork.Backends, servers.Distinct().Count());

        // Full packets in the direction that goes through the balancer.
        string file = Bed.NewPath("sent");
        byte[] content = new byte[2_000_000];
        new Random(version).NextBytes(content);
        await File.WriteAllBytesAsync(file, content);
        string name = string.Create(CultureInfo.InvariantCulture, $"direct-{version}");
        (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "30", "-T", file, $"http://{Service(version)}/upload/{name}")).MustSucceed();
        byte[] received = await File.ReadAllBytesAsync(Path.Combine(Path.GetDirectoryName(file)!, "upload", name));
        Assert.Equal(Convert.ToHexString(SHA256.HashData(content)), Convert.ToHexString(SHA256.HashData(received)));
    }
}
