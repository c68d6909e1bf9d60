using System.Globalization;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>The tools people ask name servers with, over UDP and TCP, IPv4 and IPv6: answers that do not fit a datagram are had whole.</summary>
public sealed class NameServerTests(GatewayBed bed) : GatewayTest(bed)
{
    private const int Hosts = 600;

    internal override GatewayConfiguration Configuration { get; } = new()
    {
        More = $$"""
            mesh:
              domain: mesh.test
              dns: { listen: [ 198.51.100.53, "2001:db8:1::53" ] }
              services:
                - name: big
                  kind: headless
                  endpoints:
            {{string.Concat(Enumerable.Range(1, Hosts).Select(host => string.Create(CultureInfo.InvariantCulture, $"        - {{ address: 10.9.{host / 250}.{host % 250} }}\n")))}}

            """,
    };

    private static string Server(int version) => version == 4 ? "198.51.100.53" : "2001:db8:1::53";

    [SystemTheory("dig", "curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Dig_AnswerThatDoesNotFit_IsAskedForAgainOverTcp(int version)
    {
        string cut = (await Bed.AtClientAsync("dig", $"@{Server(version)}", "big.mesh.test", "A", "+ignore", "+tries=10", "+time=5")).MustSucceed().Output;
        Assert.Contains("flags: qr aa tc", cut, StringComparison.Ordinal);

        string again = (await Bed.AtClientAsync("dig", $"@{Server(version)}", "big.mesh.test", "A", "+tries=10", "+time=5")).MustSucceed().Output;
        Assert.Contains("retrying in TCP mode", again, StringComparison.Ordinal);
        Assert.Contains($"ANSWER: {Hosts}", again, StringComparison.Ordinal);
        Assert.Contains("(TCP)", again, StringComparison.Ordinal);

        // Two questions in one connection.
        string kept = (await Bed.AtClientAsync("dig", $"@{Server(version)}", "+tcp", "+keepopen", "big.mesh.test", "A", "nowhere.mesh.test", "A")).MustSucceed().Output;
        Assert.Contains($"ANSWER: {Hosts}", kept, StringComparison.Ordinal);
        Assert.Contains("NXDOMAIN", kept, StringComparison.Ordinal);
    }

    [SystemTheory("kdig", "drill", "curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task KdigAndDrill_OverTcp_HaveAll(int version)
    {
        string kdig = (await Bed.AtClientAsync("kdig", $"@{Server(version)}", "+tcp", "big.mesh.test", "A")).MustSucceed().Output;
        Assert.Contains($"ANSWER: {Hosts}", kdig, StringComparison.Ordinal);
        string drill = (await Bed.AtClientAsync("drill", "-t", $"@{Server(version)}", "big.mesh.test", "A")).MustSucceed().Output;
        Assert.Contains($"ANSWER: {Hosts}", drill, StringComparison.Ordinal);
    }
}
