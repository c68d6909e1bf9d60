using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reassembly;
using Dataplane.Tests.Reference;
using Dataplane.Tracking;

namespace Dataplane.Tests.Nat;

/// <summary>Inside hosts that reach each other by their mapped ports (RFC 4787 REQ-9, RFC 5382 REQ-8): each sees the other's outside address.</summary>
public sealed class MappedHairpinTests
{
    public static TheoryData<int, int> FamiliesAndWorkers => new() { { 4, 1 }, { 6, 1 }, { 4, 3 }, { 6, 3 } };

    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task EverybodyMayEnter_BothSeeOutsideAddresses(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), workers);
        for (ushort port = 4000; port < 4008; port++)
        {
            // Ports of different pairs, so that with several workers the two ends are different ones'.
            ushort mine = (ushort)(port + 1003), b = net.Open(plane, 12, port, net.Remote(1));
            byte[] there = plane.SendForOne("lan", net.From(11, net.Gateway).Udp(mine, b).PayloadOf(40).Build(), "lan");
            ushort a = (ushort)ReferenceDecoder.Decode(there).SourcePort;
            NatNet.Same(net.At(12, net.Gateway).Udp(a, port).PayloadOf(40).Build(), there);
            NatNet.Same(net.At(11, net.Gateway).Udp(b, mine).PayloadOf(7).Build(), plane.SendForOne("lan", net.From(12, net.Gateway).Udp(port, a).PayloadOf(7).Build(), "lan"));
            Assert.Equal(a, net.Open(plane, 11, mine, net.Remote(1)));
        }
    }

    /// <summary>Neither gets in until it has been sent to: as through two gateways.</summary>
    [Theory]
    [InlineData(4, 1, NatFiltering.AddressAndPortDependent)]
    [InlineData(6, 1, NatFiltering.AddressDependent)]
    [InlineData(4, 3, NatFiltering.AddressDependent)]
    [InlineData(6, 3, NatFiltering.AddressAndPortDependent)]
    public async Task HolesAreMadeByWhoWantsToBeReached(int family, int workers, NatFiltering filtering)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(filtering), workers);
        ushort a = net.Open(plane, 11, 5000, net.Remote(1)), b = net.Open(plane, 12, 6002, net.Remote(1));
        plane.SendForDrop("lan", net.From(11, net.Gateway).Udp(5000, b).Payload("a").Build(), DropReason.NatFiltered);
        plane.SendForDrop("lan", net.From(11, net.Gateway).Udp(5000, b).Payload("a").Build(), DropReason.NatFiltered);
        NatNet.Same(net.At(11, net.Gateway).Udp(b, 5000).Payload("b").Build(), plane.SendForOne("lan", net.From(12, net.Gateway).Udp(6002, a).Payload("b").Build(), "lan"));
        NatNet.Same(net.At(12, net.Gateway).Udp(a, 6002).Payload("c").Build(), plane.SendForOne("lan", net.From(11, net.Gateway).Udp(5000, b).Payload("c").Build(), "lan"));
    }

    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task Tcp_UnderRulesWithStates_IsFollowedOnBothWays(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), workers, builder => builder.Filter(filter => filter
            .Allow(state: ConnectionStates.Established | ConnectionStates.Related).Allow(state: ConnectionStates.New, port: "lan").DefaultDeny()));
        plane.SendForOne("lan", net.From(12, net.Remote(1)).Tcp(6002, 9, TcpFlags.Syn, 1).Build(), "wan");
        (bool There, TcpFlags Flags, uint Sequence, uint Acknowledged, int Bytes)[] segments =
        [
            (true, TcpFlags.Syn, 100, 0, 0), (false, TcpFlags.Syn | TcpFlags.Ack, 500, 101, 0), (true, TcpFlags.Ack, 101, 501, 0), (true, TcpFlags.Ack, 101, 501, 300),
            (false, TcpFlags.Ack, 501, 401, 900), (true, TcpFlags.Ack | TcpFlags.Fin, 401, 1401, 0),
        ];
        foreach ((bool there, TcpFlags flags, uint sequence, uint acknowledged, int bytes) in segments)
        {
            (int from, int to, ushort source, ushort target) = there ? (11, 12, (ushort)5000, (ushort)6002) : (12, 11, (ushort)6002, (ushort)5000);
            NatNet.Same(net.At(to, net.Gateway).Tcp(source, target, flags, sequence, acknowledged, 60000).PayloadOf(bytes).Build(),
                plane.SendForOne("lan", net.From(from, net.Gateway).Tcp(source, target, flags, sequence, acknowledged, 60000).PayloadOf(bytes).Build(), "lan"));
        }

        Assert.Equal(2, plane.Engine.ReadFlows().Count(flow => flow.IsForward && flow.State == "tcp_closing"));
    }

    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task Fragments_AndLastHops_FindTheirWay(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), workers);
        ushort b = net.Open(plane, 12, 6002, net.Remote(1));
        IReadOnlyList<byte[]> fragments = Pieces.Of(net.From(11, net.Gateway).Udp(5000, b).PayloadOf(2500), 1024, 3);
        string[] sent = [.. fragments.SelectMany(fragment => plane.Send("lan", fragment)).Select(frame => Convert.ToHexString(frame.Frame)).Order()];
        Assert.Equal(Pieces.Of(net.At(12, net.Gateway).Udp(5000, 6002).PayloadOf(2500), 1024, 3).Select(Convert.ToHexString).Order(), sent);
        (string Port, byte[] Frame) error = Assert.Single(plane.SendForDrop("lan", net.From(11, net.Gateway, ttl: 1).Udp(5000, b).Build(), DropReason.TtlExpired));
        Assert.Equal(("lan", net.Net.Inside(11).ToString()), (error.Port, ReferenceDecoder.Decode(error.Frame).Destination));
    }

    /// <summary>RFC 4787 REQ-9 and RFC 5508 REQ-7: an error of the one is told to the other as about what it has sent.</summary>
    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task IcmpErrors_OfTheOne_ReachTheOther(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), workers);
        ushort b = net.Open(plane, 12, 6002, net.Remote(1));
        byte[] sent = net.From(11, net.Gateway).Udp(5000, b).PayloadOf(40).Build();
        byte[] arrived = plane.SendForOne("lan", sent, "lan");
        sent[family == 4 ? 22 : 21]--;
        if (family == 4)
        {
            InternetChecksumOf(sent);
        }

        byte[] told = plane.SendForOne("lan", Unreachable(net.From(12, net.Gateway), family, arrived[14..]), "lan");
        NatNet.Same(Unreachable(net.At(11, net.Gateway), family, sent[14..]), told);
    }

    private static void InternetChecksumOf(byte[] frame)
    {
        (frame[24], frame[25]) = (0, 0);
        uint sum = 0;
        for (int at = 14; at < 34; at += 2)
        {
            sum += (uint)((frame[at] << 8) | frame[at + 1]);
        }

        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = ~((sum & 0xFFFF) + (sum >> 16));
        (frame[24], frame[25]) = ((byte)(sum >> 8), (byte)sum);
    }

    private static byte[] Unreachable(PacketBuilder packet, int family, byte[] quoted) => family == 4
        ? packet.Icmpv4(Icmpv4Fields.Unreachable(3)).Payload(quoted).Build()
        : packet.Icmpv6(Icmpv6Fields.Unreachable(4)).Payload(quoted).Build();

    /// <summary>Explain goes on behind the turn, and changes nothing.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Explain_GoesOnToTheOtherInsideHost(int family)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.AddressDependent));
        ushort a = net.Open(plane, 11, 5000, net.Remote(1)), b = net.Open(plane, 12, 6002, net.Remote(1));
        byte[] frame = net.From(11, net.Gateway).Udp(5000, b).Payload("a").Build(), answer = net.From(12, net.Gateway).Udp(6002, a).Payload("b").Build();

        // Host 12 has sent nothing to the outside address of 11, so its filter keeps 11 out.
        Explanation kept = plane.Engine.Explain(frame, "lan");
        Assert.Equal((Verdict.Drop, DropReason.NatFiltered), (kept.Verdict, kept.Reason));
        plane.SendForDrop("lan", frame, DropReason.NatFiltered);

        // The first packet of a flow, and one of a flow there is.
        Explanation first = plane.Engine.Explain(answer, "lan");
        byte[] sent = plane.SendForOne("lan", answer, "lan");
        Explanation next = plane.Engine.Explain(answer, "lan");
        foreach (Explanation said in new[] { first, next })
        {
            Assert.Equal((Verdict.Transmit, "lan"), (said.Verdict, said.OutPort));
            NatNet.Same(sent, said.Output.ToArray());
            Assert.Contains(said.Steps, step => step is { Stage: "nat", Outcome: "hairpin" });
        }

        NatNet.Same(net.At(12, net.Gateway).Udp(a, 6002).Payload("a").Build(), plane.Engine.Explain(frame, "lan").Output.ToArray());
        NatNet.Same(net.At(12, net.Gateway).Udp(a, 6002).Payload("a").Build(), plane.SendForOne("lan", frame, "lan"));
    }
}
