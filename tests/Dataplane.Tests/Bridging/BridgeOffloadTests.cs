using Dataplane.Bridging;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Rewriting;
using static Dataplane.Tests.Bridging.Frames;

namespace Dataplane.Tests.Bridging;

/// <summary>Super-frames and unfinished checksums on a bridge: each port gets what it takes, flooded ones too.</summary>
public sealed class BridgeOffloadTests
{
    [Theory]
    [InlineData(4, false)]
    [InlineData(6, false)]
    [InlineData(4, true)]
    [InlineData(6, true)]
    public async Task Bridge_UnfinishedFrames_LeaveAsEachPortTakesThem(int family, bool isKnown)
    {
        OffloadPort from = new(new MacAddress(Host(1)), OffloadPlane.All, 1500), whole = new(new MacAddress(Host(2)), OffloadPlane.All, 1500), cut = new(new MacAddress(Host(3)), FrameOffloads.None, 1500);
        await using DataplaneEngine engine = new DataplaneBuilder().Port("from", PortSource.Custom(from)).Port("cut", PortSource.Custom(cut)).Port("whole", PortSource.Custom(whole))
            .Bridge(new BridgeSpec { Name = "lan", Ports = [new() { Port = "from" }, new() { Port = "cut" }, new() { Port = "whole" }] })
            .Workers(workers => workers with { Seed = 1, FlowEntries = 4096 }).UseTimeProvider(new TestClock()).Build();
        engine.StartManual();
        if (isKnown)
        {
            cut.Add(new Unfinished(Of(Everybody, Host(9))));
            Run(engine);
            whole.Sent.Clear();
        }

        PacketBuilder sent = PacketBuilder.Ethernet(new MacAddress(Host(1)), new MacAddress(Host(9)));
        sent = family == 4 ? sent.Ipv4("10.0.0.1", "10.0.0.2") : sent.Ipv6("fd00::1", "fd00::2");
        byte[] super = sent.Tcp(1, 2, TcpFlags.Ack, 1000, 1).PayloadOf(3000).Build();
        byte[] single = PacketBuilder.Ethernet(new MacAddress(Host(1)), new MacAddress(Host(9))).Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).PayloadOf(33).Build();
        from.Add(Unfinished.Of(super, 1000));
        from.Add(Unfinished.Of(single));
        Run(engine);
        Assert.Equal(4, cut.Sent.Count);
        Assert.All(cut.Sent, frame => Assert.False(frame.NeedsChecksum));
        Assert.Equal(Convert.ToHexString(single), Convert.ToHexString(cut.Sent[3].Bytes));
        Assert.Equal(3000, cut.Sent.Take(3).Sum(frame => frame.Bytes.Length - (super.Length - 3000)));
        if (isKnown)
        {
            Assert.Empty(whole.Sent);
            return;
        }

        Assert.Equal(2, whole.Sent.Count);
        Assert.Equal((super.Length, 1000), (whole.Sent[0].Bytes.Length, whole.Sent[0].SegmentBytes));
        Assert.Equal(Convert.ToHexString(single), Convert.ToHexString(whole.Sent[1].Finish()));
    }

    private static void Run(DataplaneEngine engine)
    {
        while (engine.RunOnce() > 0)
        {
        }

        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Held == 0, accounting.ToString());
    }
}
