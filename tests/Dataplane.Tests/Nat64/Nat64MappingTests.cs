using Dataplane.Filtering;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tracking;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>Mapped ports between the families (RFC 6146 3): who may send to them, inside hosts that reach each other by them, and what a change of the rule means for flows.</summary>
public sealed class Nat64MappingTests
{
    private static readonly IpAddress s_other = IpAddress.Parse("203.0.113.9");

    [Fact]
    public async Task Mapping_TowardsEverybody_IsOne()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside(12).Udp(5353, 53).Build(), "wan");
        ushort first = PortOf(plane.SendForOne("lan", FromInside(11).Udp(5353, 53).Build(), "wan"));
        Assert.NotEqual(5353, first);
        Assert.Equal(first, PortOf(plane.SendForOne("lan", FromInside(11, s_other).Udp(5353, 99).Build(), "wan")));
        Assert.Equal(2, plane.Engine.ReadNat().Sum(entry => entry.Mappings));
    }

    [Theory]
    [InlineData(NatFiltering.AddressAndPortDependent, false, false, 1)]
    [InlineData(NatFiltering.AddressDependent, true, false, 1)]
    [InlineData(NatFiltering.EndpointIndependent, true, true, 1)]
    [InlineData(NatFiltering.EndpointIndependent, true, true, 2)]
    public async Task Filtering_LetsInWhomItSays(NatFiltering filtering, bool samePlaceOtherPort, bool anybody, int workers)
    {
        await using TestPlane plane = Create(Rule(filtering: filtering), workers);
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        Check(plane, Server, 54, samePlaceOtherPort);
        Check(plane, s_other, 53, anybody);
    }

    private static void Check(TestPlane plane, IpAddress remote, ushort port, bool expected)
    {
        byte[] packet = FromOutside(remote).Udp(port, 5353).Payload("new").Build();
        if (!expected)
        {
            plane.SendForDrop("wan", packet, DropReason.NatFiltered);
            return;
        }

        Same(AtInside(remote: remote).Udp(port, 5353).Payload("new").Build(), plane.SendForOne("wan", packet, "lan"));

        // The host's answer is of that flow, and keeps its port.
        byte[] answer = plane.SendForOne("lan", FromInside(remote: remote).Udp(5353, port).Payload("answer").Build(), "wan");
        Same(AtOutside(IdentificationOf(answer), remote: remote).Udp(5353, port).Payload("answer").Build(), answer);
    }

    [Fact]
    public async Task SomebodyWhoMustNotStandBehindTheWellKnownPrefix_IsNotLetIn()
    {
        await using TestPlane plane = Create(Rule(filtering: NatFiltering.EndpointIndependent) with { Nat64 = IpPrefix.Parse("64:ff9b::/96") });
        plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6(Host(11).ToString(), "64:ff9b::8.8.8.8").Udp(5353, 53).Build(), "wan");
        plane.SendForDrop("wan", FromOutside().Udp(53, 5353).Build(), DropReason.Nat64Address);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task InsideHosts_ByEachOthersMappedPorts_ReachEachOther(int workers)
    {
        await using TestPlane plane = Create(Rule(filtering: NatFiltering.EndpointIndependent), workers);
        plane.SendForOne("lan", FromInside(12).Udp(6000, 53).Build(), "wan");
        byte[] there = plane.SendForOne("lan", FromInside(11, Gateway).Udp(5001, 6000).Payload("hairpin").Build(), "lan");
        Same(AtInside(12, Gateway).Udp(5001, 6000).Payload("hairpin").Build(), there);
        byte[] back = plane.SendForOne("lan", FromInside(12, Gateway).Udp(6000, 5001).Payload("back").Build(), "lan");
        Same(AtInside(11, Gateway).Udp(6000, 5001).Payload("back").Build(), back);
    }

    [Fact]
    public async Task AnotherPrefix_EndsTheFlows_TheSameKeepsThem()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        await UpdateAsync(plane, Rule() with { Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(100) } });
        Same(AtInside().Udp(53, 5353).Payload("kept").Build(), plane.SendForOne("wan", FromOutside().Udp(53, 5353).Payload("kept").Build(), "lan"));
        await UpdateAsync(plane, Rule() with { Nat64 = IpPrefix.Parse("2001:db8:65::/96") });
        Assert.DoesNotContain(plane.Send("wan", FromOutside().Udp(53, 5353).Payload("gone").Build()), frame => frame.Port == "lan");
    }

    [Fact]
    public async Task RulesWithStates_FollowFlowsBetweenTheFamilies()
    {
        await using TestPlane plane = Create(more: builder => builder.Filter(filter => filter.DefaultDeny()
            .Rule(new FilterRuleSpec { State = ConnectionStates.Established | ConnectionStates.Related }).Rule(new FilterRuleSpec { Port = "lan", State = ConnectionStates.New })));
        plane.SendForDrop("wan", FromOutside().Udp(53, 5353).Build(), DropReason.FilterDefault);
        plane.SendForOne("lan", FromInside().Tcp(5353, 80, TcpFlags.Syn, 10).Build(), "wan");
        plane.SendForOne("wan", FromOutside().Tcp(80, 5353, TcpFlags.Syn | TcpFlags.Ack, 50, 11).Build(), "lan");
        plane.SendForOne("lan", FromInside().Tcp(5353, 80, TcpFlags.Ack, 11, 51).Build(), "wan");
        Same(AtInside().Tcp(80, 5353, TcpFlags.Ack, 51, 11).PayloadOf(100).Build(),
            plane.SendForOne("wan", FromOutside().Tcp(80, 5353, TcpFlags.Ack, 51, 11).PayloadOf(100).Build(), "lan"));
    }

    private static async Task UpdateAsync(TestPlane plane, NatSpec rule)
    {
        Task update = plane.Engine.UpdateAsync(spec => spec with { Nat = [rule] });
        plane.Run();
        await update;
    }

    private static ushort PortOf(byte[] frame) => (ushort)ReferenceDecoder.Decode(frame).SourcePort;
}
