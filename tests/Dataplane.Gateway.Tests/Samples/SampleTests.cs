using System.Globalization;
using System.Text.RegularExpressions;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.Samples;

/// <summary>The samples run and show what they are there to show.</summary>
public partial class SampleTests
{
    [Fact]
    public async Task Reflector_APacket_ComesBack() => Assert.Equal(
    [
        "sent     47 bytes 10.0.0.9:4096 > 10.0.0.1:7",
        "received 47 bytes 10.0.0.1:7 > 10.0.0.9:4096",
        "received 1 originated 0 transmitted 1 dropped 0 held 0",
    ], (await TestedProgram.RunSampleAsync("Reflector")).With(0).Lines);

    [Fact]
    public async Task L4Balancer_SharesFollowWeightsAndAChangeMovesTheLeast()
    {
        Ended ended = (await TestedProgram.RunSampleAsync("L4Balancer")).With(0);
        (string Backend, double Percent)[] shares =
            [.. Share().Matches(ended.Output).Select(match => (match.Groups[1].Value, double.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture)))];
        Assert.Equal(["10.1.0.11", "10.1.0.12", "10.1.0.13", "10.1.0.11", "10.1.0.13"], shares.Select(share => share.Backend));
        double[] expected = [50, 25, 25, 200.0 / 3, 100.0 / 3];
        Assert.All(shares.Zip(expected), pair => Assert.InRange(pair.First.Percent, pair.Second - 2.5, pair.Second + 2.5));
        Match moved = Moved().Match(ended.Output);
        Assert.True(moved.Success, ended.Output);
        Assert.Equal(moved.Groups[1].Value, moved.Groups[2].Value);
        Assert.Equal("received 16000 originated 0 transmitted 16000 dropped 0 held 0", ended.Lines[^1]);
    }

    [Fact]
    public async Task Router_EachPacket_LeavesAsTheTitleSays() => Assert.Equal(
    [
        "IPv4 by the static route",
        "  leaves by right  192.0.2.9 > 203.0.113.7, protocol 17, ttl 63, to 02:00:00:00:00:02",
        "IPv6 by the default route",
        "  leaves by right  2001:db8:1::9 > 2001:db8:ffff::7, protocol 17, ttl 63, to 02:00:00:00:00:02",
        "IPv4 to the refused half",
        "  leaves by left   192.0.2.1 > 192.0.2.9, ICMP type 3 code 13, ttl 64, to 02:00:00:00:00:09",
        "IPv6, hop limit used up",
        "  leaves by left   2001:db8:1::1 > 2001:db8:1::9, ICMP type 3 code 0, ttl 64, to 02:00:00:00:00:09",
        "IPv4 without a route",
        "  leaves by left   192.0.2.1 > 192.0.2.9, ICMP type 3 code 0, ttl 64, to 02:00:00:00:00:09",
    ], (await TestedProgram.RunSampleAsync("Router")).With(0).Lines[..^1]);

    [Fact]
    public async Task CustomStage_MoreThanItsBurst_IsDroppedAndExplained()
    {
        Ended ended = (await TestedProgram.RunSampleAsync("CustomStage")).With(0);
        Assert.Equal("50 packets at once: 20 pass, 30 dropped by the stage", ended.Lines[0]);
        Assert.Contains(ended.Lines, line => line.Contains("rate_limit", StringComparison.Ordinal));
        Assert.Equal("received 50 originated 0 transmitted 20 dropped 30 held 0 user_stage=30", ended.Lines[^1]);
    }

    [Fact]
    public async Task HostedGateway_AsksItself_IsHealthyAndShowsItsBackends()
    {
        Ended ended = (await TestedProgram.RunSampleAsync("HostedGateway")).With(0);
        Assert.Contains("/health:\nHealthy\n", ended.Output, StringComparison.Ordinal);
        Assert.Contains("/backends:\n10.1.0.11:8080 weight 2 flows 0\n10.1.0.12:8080 weight 1 flows 0\n", ended.Output, StringComparison.Ordinal);
        Assert.Equal(2, ended.Lines.Count(line => line.StartsWith("dataplane_backend_weight{", StringComparison.Ordinal)));
    }

    [GeneratedRegex(@"^  (10\.1\.0\.\d+) +\d+ flows  ([0-9.]+) %$", RegexOptions.Multiline)]
    private static partial Regex Share();

    [GeneratedRegex(@"^update: (\d+) of \d+ slots moved, the least possible is (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Moved();
}
