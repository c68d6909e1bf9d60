using System.Net;
using Dataplane.Filtering;
using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary><c>offload: xdp</c>: established flows forwarded by the XDP programs, everything else by the engine, every packet accounted for.</summary>
public sealed class FastPathTests
{
    [SystemTheory("ethtool")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Udp_BothWays_GoesTheFastPathTranslatedAndIsCounted(int version)
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        Assert.All(bed.Engine.ReadPorts(), port => Assert.Contains(", fast path", port.Description, StringComparison.Ordinal));
        using var flow = new FastPathConversation(bed, version);
        flow.AwaitFast();

        long before = bed.FastPackets();
        flow.Burst(packets: 2000, window: 64);
        FastPathBed.Await(() => bed.FastPackets() - before >= 3900, () => $"{bed.FastPackets() - before} of 4000 went the fast path");

        // The answers came from the server's address, as the engine translates them; what the server saw is the gateway's.
        Assert.Equal(IPAddress.Parse(version == 4 ? "10.96.0.1" : "2001:db8:96::1"), flow.SeenByServer.Address);
        NatStatus nat = Assert.Single(bed.Engine.ReadNat(), entry => (entry.Address.Family == IpFamily.V4) == (version == 4));
        Accounting accounting = await bed.StopAsync();
        Assert.InRange(accounting.Transmitted, 2L * flow.Sent, long.MaxValue);
        Assert.Equal(0, accounting.DroppedFor(DropReason.TransmitRingFull) + accounting.DroppedFor(DropReason.Undecided));
        Assert.InRange(nat.Packets, 4000, long.MaxValue);
    }

    [SystemTheory("ethtool", "iperf3")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Tcp_Iperf_ArrivesByTheFastPathAndEndsByTheEngine(int version)
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        await using (var server = ChildProgram.Start(bed.Server.Name, "iperf3", "--server", "--one-off", "--forceflush"))
        {
            await server.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
            (await ChildProgram.RunAsync(bed.Client.Name, ["iperf3", "--client", FastPathBed.Target(version), "--time", "2", "--json"])).MustSucceed();
        }

        // Both connections have ended by FIN, which only the engine sees: their flows are closing, and out of the map.
        FastPathBed.Await(() => bed.Engine.ReadFlows().All(flow => flow.State.Contains("losing", StringComparison.Ordinal)), () => string.Join(' ', bed.Engine.ReadFlows()));
        Assert.True(bed.FastPackets() > 1000, $"{bed.FastPackets()} packets went the fast path");
        Accounting accounting = await bed.StopAsync();
        Assert.True(bed.FastPackets() > accounting.Received / 2, $"{bed.FastPackets()} of {accounting.Received}");
    }

    [SystemFact("ethtool")]
    public async Task Update_RuleThatDenies_HoldsAtOnceAndTheFastPathComesBackWithoutIt()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        using var flow = new FastPathConversation(bed, 4);
        flow.AwaitFast();
        DataplaneSpec open = bed.Engine.Spec;
        FilterRuleSpec deny = new() { Name = "no-udp", Action = FilterAction.Deny, Protocol = 17, ToPort = new PortRange(FastPathBed.Port, FastPathBed.Port) };
        await bed.Engine.UpdateAsync(open with { Filter = open.Filter with { Rules = [deny] } });
        flow.SendDenied(100);
        FastPathBed.Await(() => bed.Engine.ReadRules()[0].Packets == 100, () => string.Join(' ', bed.Engine.ReadRules()));
        await bed.Engine.UpdateAsync(open);
        flow.AwaitFast();
        await bed.StopAsync();
    }

    [SystemTheory("ethtool")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Offload_SwitchedOffAndOnUnderTraffic_LosesNothing(int version)
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        using var flow = new FastPathConversation(bed, version);
        flow.AwaitFast();
        DataplaneSpec on = bed.Engine.Spec, off = on with { Ports = [.. on.Ports.Select(port => port with { Offload = PortOffload.Auto })] };
        using var stop = new CancellationTokenSource();
        var traffic = Task.Run(() =>
        {
            // Whatever is lost is waited for in vain.
            while (!stop.IsCancellationRequested)
                flow.Exchange(bytes: 64);
        });
        for (int round = 0; round < 10; round++)
        {
            ChangeReceipt receipt = await bed.Engine.UpdateAsync(round % 2 == 0 ? off : on);
            Assert.Empty(receipt.PortsOpened.Concat(receipt.PortsClosed));
            await Task.Delay(30);
        }

        await bed.Engine.UpdateAsync(off);
        await stop.CancelAsync();
        await traffic;
        Assert.All(bed.Engine.ReadPorts(), port => Assert.Contains("switched off", port.Description, StringComparison.Ordinal));
        FastPathBed.Await(() => bed.Engine.ReadAccounting().Transmitted >= 2L * flow.Sent, () => bed.Engine.ReadAccounting().ToString());
        long before = bed.FastPackets();
        for (int i = 0; i < 100; i++)
            flow.Exchange(bytes: 64);
        Assert.Equal(before, bed.FastPackets());
        await bed.Engine.UpdateAsync(on);
        flow.AwaitFast();
        await bed.StopAsync();
    }

    [SystemFact("ethtool")]
    public async Task Unusual_FragmentsAndTtl_IsTheEngines()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        using var flow = new FastPathConversation(bed, 4);
        flow.AwaitFast();

        // A datagram in fragments is not the programs' affair, nor is one that may go no further: the worker receives them itself.
        const int Rounds = 10, FragmentsEach = 6;
        long own = bed.Engine.ReadWorkers()[0].Packets;
        for (int round = 0; round < Rounds; round++)
            flow.Exchange(bytes: 4000);
        flow.SendWithTtl(1);
        FastPathBed.Await(() => bed.Engine.ReadAccounting().DroppedFor(DropReason.TtlExpired) == 1, () => bed.Engine.ReadAccounting().ToString());
        FastPathBed.Await(() => bed.Engine.ReadWorkers()[0].Packets - own >= (Rounds * FragmentsEach) + 1, () => $"{bed.Engine.ReadWorkers()[0].Packets - own}");
        flow.AwaitFast();
        await bed.StopAsync();
    }

    [SystemFact("ethtool")]
    public async Task OtherEndTakesNoRedirectedFrames_IsSaidAndTheEngineForwards()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync(takes: false);
        Assert.All(bed.Engine.ReadPorts(), port => Assert.Contains("gro on", port.Description, StringComparison.Ordinal));
        using var flow = new FastPathConversation(bed, 6);
        flow.Burst(packets: 500, window: 32);
        Assert.Equal(0, bed.FastPackets());

        bed.Client.Execute("ethtool", "-K", "e0", "gro", "on");
        bed.Server.Execute("ethtool", "-K", "e0", "gro", "on");
        flow.AwaitFast();
        bed.Server.Execute("ethtool", "-K", "e0", "gro", "off");
        FastPathBed.Await(() => bed.PortOf("server").Description.Contains("gro on", StringComparison.Ordinal), () => bed.PortOf("server").Description);
        await bed.Engine.UpdateAsync(bed.Engine.Spec);
        flow.Exchange(bytes: 64);
        await bed.StopAsync();
    }
}
