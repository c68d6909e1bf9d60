using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using Dataplane.Tunnels;

namespace Dataplane.Tests.Tunnels;

/// <summary>Packets enclosed, split, refused and taken out, errors about them: exactly 0 bytes.</summary>
[Collection(AllocationCollection.Name)]
public sealed class TunnelAllocationTests
{
    [Fact]
    public void Worker_PacketsInsidePackets_AllocatesNothing()
    {
        TunnelNet[] nets = [new(4, 6, ForwardMode.Gue), new(6, 4, ForwardMode.Ipip)];
        using var rig = new PipelineRig(builder =>
        {
            builder.Encapsulation(TunnelNet.Sources with { Decapsulate = [new DecapsulationSpec { Address = IpAddress.Parse("203.0.113.5"), From = [IpPrefix.Parse("198.51.100.64/26")] }] })
                .Workers(workers => workers with { FlowEntries = 1024, IcmpErrorsPerSecond = 1_000_000 });
            nets[0].AddTo(builder, "a", true, 11, 12);
            nets[1].AddTo(builder, "b", false, 11);
        }, lanMtu: 1300);
        byte[] left = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ipv4(TunnelNet.Source4, "10.1.0.11").Carrying(41)
            .Payload(nets[1].Net.FromClient().Udp(3000, 80).PayloadOf(100).Build().AsSpan(14)).Build();
        byte[][][] traffic = [.. Enumerable.Range(0, 50).Select(round => new[]
        {
            nets[0].Net.FromClient().Tcp((ushort)(2000 + round), 80, TcpFlags.Syn).Build(), nets[0].Net.FromClient().Tcp(1999, 80, TcpFlags.Ack).PayloadOf(100).Build(),
            nets[1].Net.FromClient().Udp((ushort)(2000 + round), 80).PayloadOf(100).Build(), nets[0].Net.FromClient().Tcp(1999, 80, TcpFlags.Ack).PayloadOf(1400).Build(),
            nets[1].Net.FromClient().Udp(3000, 80).PayloadOf(1300).Build(), nets[1].Net.FromClient().Udp(3000, 80).PayloadOf(10).Build(),
            DecapsulationTests.Enclosed(4, ForwardMode.Gue, nets[0].Net.FromClient().Tcp(1999, 80, TcpFlags.Ack).Build()[14..]),
            DecapsulationTests.Enclosed(4, ForwardMode.Ipip, new byte[20]), DecapsulationTests.Enclosed(4, ForwardMode.Ipip, left[14..], "198.51.100.2"),
        })];
        byte[][] errors = [OuterErrorTests.About(left, 3, 4, 1200)];
        int at = 0;
        Allocations.AssertNone(3000, () =>
        {
            rig.Send("wan", traffic[at++ % traffic.Length]);
            rig.Send("lan", errors);
            rig.NowNs += 20_000_000;
            rig.Worker.RunOnce(rig.NowNs);
            rig.Drain();
        });
        Accounting seen = rig.Context.Counters.Read();
        Assert.True(seen.IsBalanced && seen.DroppedFor(DropReason.ConsumedTunnelError) > 0 && seen.DroppedFor(DropReason.PacketTooBig) > 0
            && seen.DroppedFor(DropReason.TunnelSource) > 0 && rig.Context.Tables.Tunnels.All.Single().Counters[0].Counts.Packets > 0, seen.ToString());
    }
}
