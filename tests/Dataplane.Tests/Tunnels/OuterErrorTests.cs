using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Tunnels;

/// <summary>ICMP errors about outer headers: the client hears what it means for its packet.</summary>
public sealed class OuterErrorTests
{
    // RFC 2003, 4.1 and RFC 2473, 8.1: the MTU that is told is the one inside.
    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task TooBig_OnTheWayToTheBackend_ReachesTheClientWithWhatFitsInside(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using TestPlane plane = net.Create();
        byte[] sent = net.Net.FromClient().Tcp(1000, 80, TcpFlags.Ack).PayloadOf(1300).Build(), left = plane.SendForOne("wan", sent, "lan");
        byte[] error = outer == 4 ? About(left, 3, 4, 1400) : About(left, 2, 0, 1400);
        (string port, byte[] told) = Assert.Single(plane.SendForDrop("lan", error, DropReason.ConsumedTunnelError));
        ReferencePacket answer = ReferenceDecoder.Decode(told);
        Assert.Equal(("wan", net.Net.Client.ToString(), true), (port, answer.Destination, answer.TransportChecksumRight == true));
        Assert.Equal((inner == 4 ? (3, 4) : (2, 0), (uint)(1400 - net.OuterBytes)), ((answer.IcmpType, answer.IcmpCode), answer.IcmpRest));

        // Quoted is what the client sent, as far as the error went.
        byte[] quoted = TunnelNet.TakenDown(sent[14..]);
        int length = Math.Min(answer.Payload.Length, 400);
        Assert.True(length >= 100, $"{length} bytes are quoted");
        Assert.Equal(quoted[..length], answer.Payload[..length]);
    }

    [Theory]
    [InlineData(4, 4, 3, 1, 3, 1)]
    [InlineData(4, 4, 3, 2, 3, 1)]
    [InlineData(4, 4, 11, 0, 3, 1)]
    [InlineData(6, 4, 3, 3, 1, 3)]
    [InlineData(4, 6, 1, 0, 3, 1)]
    [InlineData(6, 6, 3, 0, 1, 3)]
    [InlineData(6, 6, 4, 1, 1, 3)]
    public async Task Unreachable_OnTheWayToTheBackend_TellsTheClientThatTheServiceIs(int inner, int outer, byte type, byte code, int toldType, int toldCode)
    {
        var net = new TunnelNet(inner, outer, ForwardMode.Gue);
        await using TestPlane plane = net.Create(tcp: false);
        byte[] left = plane.SendForOne("wan", net.Net.FromClient().Udp(1000, 80).PayloadOf(64).Build(), "lan");
        byte[] told = Assert.Single(plane.SendForDrop("lan", About(left, type, code, 0), DropReason.ConsumedTunnelError)).Frame;
        ReferencePacket answer = ReferenceDecoder.Decode(told);
        Assert.Equal((net.Net.Client.ToString(), toldType, toldCode), (answer.Destination, answer.IcmpType, answer.IcmpCode));
    }

    // RFC 8200, 5: no IPv6 sender goes below 1280; RFC 1191: nobody below 68.
    [Theory]
    [InlineData(6, 1290u, 1280u)]
    [InlineData(6, 0u, 1280u)]
    [InlineData(4, 0u, 68u)]
    [InlineData(4, 600u, 580u)]
    public async Task TooBig_BelowWhatLinksMustCarry_IsToldAsThat(int inner, uint mtu, uint told)
    {
        var net = new TunnelNet(inner, 4, ForwardMode.Ipip);
        await using TestPlane plane = net.Create();
        byte[] left = plane.SendForOne("wan", net.Net.FromClient().Tcp(1000, 80, TcpFlags.Ack).PayloadOf(1300).Build(), "lan");
        byte[] answer = Assert.Single(plane.SendForDrop("lan", About(left, 3, 4, mtu), DropReason.ConsumedTunnelError)).Frame;
        Assert.Equal(told, ReferenceDecoder.Decode(answer).IcmpRest);
    }

    [Fact]
    public async Task Error_AboutNobodysFlowOrAnotherBackendOrForged_TellsNobody()
    {
        var net = new TunnelNet(4, 4, ForwardMode.Ipip);
        await using TestPlane plane = net.Create();
        byte[] left = plane.SendForOne("wan", net.Net.FromClient().Tcp(1000, 80, TcpFlags.Ack).PayloadOf(300).Build(), "lan");
        byte[] other = [.. left];
        other[14 + 20 + 21] ^= 1;
        Assert.Empty(plane.SendForDrop("lan", About(other, 3, 4, 1400), DropReason.ConsumedIcmp));
        byte[] elsewhere = [.. left];
        elsewhere[33] = 12;
        Assert.Empty(plane.SendForDrop("lan", About(elsewhere, 3, 4, 1400), DropReason.ConsumedIcmp));
        byte[] damaged = About(left, 3, 4, 1400);
        damaged[^1] ^= 1;
        Assert.Empty(plane.SendForDrop("lan", damaged, DropReason.IcmpInvalid));

        // As little as an old router quotes: taken in, and nobody can be told.
        byte[] little = About(left[..(14 + 28)], 3, 4, 1400);
        Assert.Empty(plane.SendForDrop("lan", little, DropReason.ConsumedIcmp));
    }

    /// <summary>An ICMP error of a router behind "lan" about a frame that left.</summary>
    internal static byte[] About(byte[] left, byte type, byte code, uint rest)
    {
        ReferencePacket outer = ReferenceDecoder.Decode(left);
        bool isV4 = left[12] == 8;
        PacketBuilder packet = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac)
            .Ip(IpAddress.Parse(isV4 ? "10.1.0.12" : "2001:db8:2::12"), IpAddress.Parse(outer.Source));
        packet = isV4 ? packet.Icmpv4(new Icmpv4Fields { Type = type, Code = code, RestOfHeader = rest }) : packet.Icmpv6(new Icmpv6Fields { Type = type, Code = code, RestOfHeader = rest });
        return packet.Payload(left.AsSpan(14, Math.Min(left.Length - 14, isV4 ? 548 : 1232))).Build();
    }
}
