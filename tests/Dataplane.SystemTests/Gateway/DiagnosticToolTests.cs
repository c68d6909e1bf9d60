using System.Text.RegularExpressions;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>What people reach for when a network does not work must tell the truth about this one.</summary>
public sealed partial class DiagnosticToolTests(GatewayBed bed) : GatewayTest(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new() { Rules = ["name: no-ssh, action: deny, protocol: tcp, to_port: 22"] };

    [SystemTheory("ping", "curl", "nginx", "socat")]
    [InlineData(TestNetwork.GatewayOnWan)]
    [InlineData(GatewayConfiguration.Service)]
    [InlineData("10.1.0.13")]
    [InlineData(TestNetwork.GatewayOnWan6)]
    [InlineData(GatewayConfiguration.Service6)]
    [InlineData("2001:db8:2::13")]
    public async Task Ping_GatewayServiceOrBackend_EveryEchoIsAnswered(string target)
    {
        ProgramResult result = (await Bed.AtClientAsync("ping", "-n", "-c", "5", "-i", "0.2", "-W", "20", target)).MustSucceed();
        Assert.Contains("5 packets transmitted, 5 received, 0% packet loss", result.Output, StringComparison.Ordinal);
    }

    [SystemTheory("traceroute", "curl", "nginx", "socat")]
    [InlineData(4, "--udp")]
    [InlineData(4, "--icmp")]
    [InlineData(4, "--tcp")]
    [InlineData(6, "--udp")]
    [InlineData(6, "--icmp")]
    [InlineData(6, "--tcp")]
    public async Task Traceroute_ToBackend_ShowsTheGatewayThenTheBackend(int version, string method)
    {
        ProgramResult result = (await Bed.AtClientAsync("traceroute", "-n", "-q", "1", "-w", "20", "-m", "4", method, Backend(version, 1))).MustSucceed();
        string[] hops = [.. HopLine().Matches(result.Output).Select(match => match.Groups[1].Value)];
        Assert.Equal([version == 4 ? TestNetwork.GatewayOnWan : TestNetwork.GatewayOnWan6, Backend(version, 1)], hops);
    }

    [SystemTheory("nmap", "curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Nmap_SynScan_SeesOpenClosedAndFiltered(int version)
    {
        string[] options = ["-sS", "-n", "-Pn", "-p", "22,80,81", "-oG", "-", .. version == 6 ? ["-6"] : Array.Empty<string>()];
        string report = (await Bed.AtClientAsync(["nmap", .. options, Backend(version, 0)])).MustSucceed().Output;
        Assert.Contains("22/filtered/tcp", report, StringComparison.Ordinal);
        Assert.Contains("80/open/tcp", report, StringComparison.Ordinal);
        Assert.Contains("81/closed/tcp", report, StringComparison.Ordinal);
        Assert.True(await Gateway.ReadRuleAsync("no-ssh") >= 1);
    }

    [GeneratedRegex(@"^ *[0-9]+  ([0-9a-f.:]+) ", RegexOptions.Multiline)]
    private static partial Regex HopLine();
}
