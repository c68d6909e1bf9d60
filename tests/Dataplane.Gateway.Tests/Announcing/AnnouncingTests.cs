using Dataplane.Balancing;
using Dataplane.Gateway.Announcing;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Tests.Announcing;

/// <summary>What is announced, and how the command line asks for it. That it works shows the system test of several gateways.</summary>
public sealed class AnnouncingTests
{
    private static ServiceStatus Service(string address, bool isPanicking, params (int Weight, BackendState State)[] backends) =>
        new("web", IpAddress.Parse(address), 80, 6, [.. backends.Select(backend => new BackendStatus(IpAddress.Parse("10.1.0.11"), 80, backend.Weight, 0, 0, 0) { State = backend.State })])
        {
            IsPanicking = isPanicking,
        };

    private static string[] Served(params ServiceStatus[] services) =>
        [.. RouteAnnouncer.Served(services, [new InterfaceSpec { Port = "lan", Address = IpPrefix.Parse("10.1.0.31/24") }]).Select(prefix => prefix.ToString())];

    [Theory]
    [InlineData(1, BackendState.Up, false, true)]
    [InlineData(0, BackendState.Up, false, false)]
    [InlineData(1, BackendState.Down, false, false)]
    [InlineData(1, BackendState.Down, true, true)]
    [InlineData(1, BackendState.Draining, false, false)]
    [InlineData(1, BackendState.Drained, true, false)]
    public void Served_AnAddress_WhileABackendTakesNewFlows(int weight, BackendState state, bool isPanicking, bool expected) =>
        Assert.Equal(expected ? ["2001:db8:53::10/128"] : [], Served(Service("2001:db8:53::10", isPanicking, (weight, state))));

    [Fact]
    public void Served_SeveralServicesOfAnAddress_AnnounceItOnceAndNeverAnInterfaces() =>
        Assert.Equal(["203.0.113.10/32"], Served(
            Service("203.0.113.10", false), Service("203.0.113.10", false, (1, BackendState.Up)), Service("203.0.113.10", false, (1, BackendState.Up)), Service("10.1.0.31", false, (1, BackendState.Up))));

    [Fact]
    public void Served_AServiceOfAPrefix_IsAnnouncedAsAWhole() =>
        Assert.Equal(["10.1.0.0/16", "2001:db8:53::/48"], Served(
            Service("10.1.0.0", false, (1, BackendState.Up)) with { PrefixLength = 16 }, Service("2001:db8:53::", false, (1, BackendState.Up)) with { PrefixLength = 48 }));

    [Theory]
    [InlineData("--linger needs --announce DEVICE", "--linger", "5")]
    [InlineData("--announce-table needs --announce DEVICE", "--announce-table", "5")]
    [InlineData("--announce \"a name\": is not the name of a device", "--announce", "a name")]
    [InlineData("--announce \"0123456789abcdef\": is not the name of a device", "--announce", "0123456789abcdef")]
    [InlineData("--announce-table", "--announce", "s0", "--announce-table", "254")]
    public async Task Run_WrongOptions_AreSaid(string problem, params string[] options)
    {
        Ended ended = (await Called.WithAsync(["run", "/nowhere.yaml", .. options])).With(ExitCode.Usage);
        Assert.Contains(problem, ended.Error, StringComparison.Ordinal);
    }
}
