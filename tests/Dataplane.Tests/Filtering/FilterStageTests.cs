using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Filtering;

/// <summary>The filter in its place in the pipeline: what it denies, what it counts, and what it never touches.</summary>
public sealed class FilterStageTests
{
    private static PacketBuilder From(int family, int client = 2) => family == 4
        ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4($"198.51.100.{client}", "10.1.0.11")
        : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6($"2001:db8:1::{client}", "2001:db8:2::11");

    private static string Prefix(int family, int client) => family == 4 ? $"198.51.100.{client}/32" : $"2001:db8:1::{client}/128";

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Rules_InOrder_FirstMatchDecidesAndCounts(int family)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Filter(filter => filter
            .Allow(from: Prefix(family, 3), protocol: 6, name: "good").Deny(protocol: 6, name: "tcp").Deny(from: Prefix(family, 4), name: "bad")));
        plane.SendForOne("wan", From(family, 3).Tcp(1, 2).Build(), "lan");
        Assert.Empty(plane.SendForDrop("wan", From(family).Tcp(1, 2).Build(), DropReason.FilterRule));
        Assert.Empty(plane.SendForDrop("wan", From(family, 4).Udp(1, 2).Build(), DropReason.FilterRule));
        plane.SendForOne("wan", From(family).Udp(1, 2).PayloadOf(10).Build(), "lan");
        int header = family == 4 ? 34 : 54;
        Assert.Equal([new RuleStatus("good", 1, header + 20), new RuleStatus("tcp", 1, header + 20), new RuleStatus("bad", 1, header + 8),
            new RuleStatus("default", 1, header + 18)],
            plane.Engine.ReadRules());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Rules_OfOnePort_DoNotTouchTheOther(int family)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Filter(filter => filter.Deny(port: "wan")));
        plane.SendForDrop("wan", From(family).Udp(1, 2).Build(), DropReason.FilterRule);
        byte[] back = (family == 4
            ? PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", "198.51.100.2")
            : PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6("2001:db8:2::11", "2001:db8:1::2")).Udp(2, 1).Build();
        plane.SendForOne("lan", back, "wan");
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task PortCondition_LaterFragments_AreDecidedAsTheFirst(int family)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Filter(filter => filter.Deny(protocol: 17, toPort: "20-30", name: "ports")));
        plane.SendForDrop("wan", From(family).Udp(1, 20).Build(), DropReason.FilterRule);
        plane.SendForDrop("wan", From(family).Udp(1, 30).Build(), DropReason.FilterRule);
        plane.SendForOne("wan", From(family).Udp(1, 19).Build(), "lan");
        plane.SendForOne("wan", From(family).Udp(1, 31).Build(), "lan");
        plane.SendForOne("wan", From(family).Tcp(1, 25).Build(), "lan");
        IReadOnlyList<byte[]> fragments = From(family).Udp(25, 25).PayloadOf(1000).BuildFragments(512);
        plane.SendForDrop("wan", fragments[0], DropReason.FilterRule);
        plane.SendForDrop("wan", fragments[1], DropReason.FilterRule);

        // The other way round they wait for it.
        IReadOnlyList<byte[]> late = Reassembly.Pieces.Of(From(family).Udp(40, 40).PayloadOf(1000), 512, 77);
        Assert.Empty(plane.Send("wan", late[1]));
        Assert.Equal(1, plane.Engine.ReadAccounting().Held);
        Assert.Equal(2, plane.Send("wan", late[0]).Count);
        Assert.Equal(4, plane.Engine.ReadRules()[0].Packets);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task PrefixRule_LaterFragments_MatchItToo(int family)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Filter(filter => filter.Deny(from: Prefix(family, 2), protocol: 17)));
        foreach (byte[] fragment in From(family).Udp(25, 25).PayloadOf(1000).BuildFragments(512))
        {
            plane.SendForDrop("wan", fragment, DropReason.FilterRule);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task TcpFlags_Condition_MatchesUnderItsMask(int family)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Filter(filter => filter.Rule(new FilterRuleSpec
        {
            Name = "syn",
            Action = FilterAction.Deny,
            Protocol = 6,
            TcpFlags = new TcpFlagMatch(0x12, 0x02),
        })));
        plane.SendForDrop("wan", From(family).Tcp(1, 2, TcpFlags.Syn).Build(), DropReason.FilterRule);
        plane.SendForDrop("wan", From(family).Tcp(1, 2, TcpFlags.Syn | TcpFlags.Psh).Build(), DropReason.FilterRule);
        plane.SendForOne("wan", From(family).Tcp(1, 2, TcpFlags.Syn | TcpFlags.Ack).Build(), "lan");
        plane.SendForOne("wan", From(family).Tcp(1, 2, TcpFlags.Ack).Build(), "lan");
    }

    [Fact]
    public async Task DefaultDeny_ArpAndDiscovery_GoOn()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Filter(filter => filter.Allow(protocol: 17, toPort: "7").DefaultDeny()),
            withNeighbours: false);
        plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.1").Build(), "wan");
        byte[] solicitation = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", "2001:db8:1::1", 255)
            .NeighbourSolicitation(new NeighbourSolicitationFields
            {
                Target = IpAddress.Parse("2001:db8:1::1"),
                SourceLinkLayerAddress = TestPlane.ClientMac
            }).Build();
        Assert.Single(plane.SendForDrop("wan", solicitation, DropReason.ConsumedNeighbourDiscovery));
        foreach (int family in new[] { 4, 6 })
        {
            // The engine's own questions are not filtered either.
            plane.SendForOne("wan", From(family).Udp(1, 7).Build(), "lan");
            plane.SendForDrop("wan", From(family).Udp(1, 8).Build(), DropReason.FilterDefault);
            plane.SendForDrop("wan", From(family).EchoRequest(1, 1).Build(), DropReason.FilterDefault);
        }
    }

    [Fact]
    public async Task Counters_Reload_GoOnForRulesThatStay()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Filter(filter => filter
            .Deny(protocol: 6, name: "tcp").Deny(protocol: 17, toPort: "9", name: "discard")));
        plane.SendForDrop("wan", From(4).Tcp(1, 2).Build(), DropReason.FilterRule);
        plane.SendForDrop("wan", From(4).Udp(1, 9).Build(), DropReason.FilterRule);
        plane.SendForOne("wan", From(6).Udp(1, 8).Build(), "lan");
        await plane.Engine.UpdateAsync(spec => spec with
        {
            Filter = spec.Filter with
            {
                Rules = [new FilterRuleSpec { Name = "echo", Action = FilterAction.Deny, Protocol = 58 }, spec.Filter.Rules[0],
                    spec.Filter.Rules[1] with { ToPort = new PortRange(10, 10) }],
            },
        });
        plane.SendForDrop("wan", From(6).Tcp(1, 2).Build(), DropReason.FilterRule);
        plane.SendForOne("wan", From(6).Udp(1, 9).Build(), "lan");
        Assert.Equal([("echo", 0L), ("tcp", 2L), ("discard", 0L), ("default", 2L)], plane.Engine.ReadRules().Select(rule => (rule.Name, rule.Packets)));
    }
}
