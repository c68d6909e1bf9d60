using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Nat;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Routing;

namespace Dataplane.Tests.Flows;

/// <summary>IPv6 routing headers that lead on (RFC 8200 4.4): their last address is in the checksum, so nothing about them is translated.</summary>
public sealed class SourceRoutedTests
{
    private static readonly byte[] s_onwards = [0, 0, 0, 0, .. PacketBytes("2001:db8:2::12")];

    [Fact]
    public async Task ToAService_IsNoFlowOfItAndItsSenderIsTold()
    {
        ServiceNet net = ServiceNet.V6;
        await using TestPlane plane = net.Create(tcp: false, hosts: [11, 12]);
        byte[] frame = net.FromClient().DestinationOptions([1, 4, 0, 0, 0, 0]).Routing(2, 1, s_onwards).Udp(40000, 80).PayloadOf(20).Build();
        ParsedIcmp error = ParsedIcmp.Read(Assert.Single(plane.SendForDrop("wan", frame, DropReason.LocalUnreachable)).Frame);
        Assert.Equal((4, 0, 50u, true, net.Client.ToString()), (error.Type, error.Code, error.Rest, error.ChecksumHolds, error.Destination));
        Assert.Equal(0, plane.Engine.ReadFigures().FlowEntries);

        // Of a flow that is there neither.
        plane.SendForOne("wan", net.FromClient().Udp(40000, 80).Build(), "lan");
        plane.SendForDrop("wan", frame, DropReason.LocalUnreachable);

        // One that has been there already is a packet like any other.
        Assert.Equal(11, net.HostOf(plane.SendForOne("wan", net.FromClient().Routing(2, 0, s_onwards).Udp(40000, 80).PayloadOf(20).Build(), "lan")));
    }

    [Fact]
    public async Task FromBehindNat_IsNotLetOutUntranslated()
    {
        NatNet net = NatNet.Of(6);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        plane.SendForDrop("lan", net.FromInside(11).Routing(2, 1, s_onwards).Udp(7, 53).Build(), DropReason.NatUnsupported);
    }

    [Fact]
    public async Task ToOthers_IsForwardedAsItIs()
    {
        NatNet net = NatNet.Of(6);
        await using TestPlane plane = TestPlane.Create(builder => ServiceNet.V6.Add(builder, "web", 80, tcp: false, BalancePolicy.RoundRobin, 11));
        byte[] frame = net.FromInside(11).Routing(2, 1, s_onwards).Udp(7, 53).Build();
        byte[] sent = plane.SendForOne("lan", frame, "wan");
        Assert.Equal(Convert.ToHexString(frame.AsSpan(22)), Convert.ToHexString(sent.AsSpan(22)));
    }

    private static byte[] PacketBytes(string address)
    {
        byte[] bytes = new byte[16];
        IpAddress.Parse(address).Write(bytes);
        return bytes;
    }
}
