using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Datagrams larger than the MTU, cut by the kernel of their sender and put together by that of their receiver, through source NAT and services.</summary>
public sealed class FragmentsTests(GatewayBed bed) : GatewayTest(bed)
{
    private const string Pool = "198.51.100.20", Pool6 = "2001:db8:1::20";

    internal override GatewayConfiguration Configuration { get; } = new() { Nat = [$"inside: lan, outside: wan, pool: [ {Pool}, \"{Pool6}\" ]"] };

    [SystemTheory("curl", "nginx", "socat", "ping")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Ping_LargerThanTheMtu_PassesTheTranslation(int version)
    {
        string outside = version == 4 ? TestNetwork.ClientAddress : TestNetwork.ClientAddress6;
        foreach (string bytes in new[] { "4000", "20000" })
        {
            string pinged = (await ChildProgram.RunAsync(Bed.Network.Backend(1), ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "10", "-s", bytes, outside])).MustSucceed().Output;
            Assert.Contains("3 packets transmitted, 3 received, 0% packet loss", pinged, StringComparison.Ordinal);
        }
    }

    /// <summary>The service's answer comes in fragments too, and the client accepts it only from the service's address and port.</summary>
    [SystemTheory("curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Udp_LargerThanTheMtu_IsAnsweredByTheService(int version)
    {
        for (int turn = 0; turn < 3; turn++)
        {
            string counted = (await Bed.AtClientAsync("sh", "-c",
                $"head -c 4000 /dev/zero | tr '\\0' x | socat -b 8000 -t 1 - UDP{version}:{Service(version)}:{GatewayConfiguration.EchoPort} | wc -c")).MustSucceed().Output;
            Assert.Equal("4000", counted.Trim());
        }
    }
}
