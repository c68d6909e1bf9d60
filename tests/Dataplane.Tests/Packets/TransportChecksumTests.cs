using Dataplane.Packets;

namespace Dataplane.Tests.Packets;

public class TransportChecksumTests
{
    public static TheoryData<string, byte[]> Packets => new()
    {
        { "tcp over ipv4", V4Packet().Tcp(1000, 80).Payload("odd").Build() },
        { "udp over ipv4", V4Packet().Udp(1000, 80).Payload("even").Build() },
        { "icmp", V4Packet().EchoRequest(1, 2).PayloadOf(57).Build() },
        { "tcp over ipv6", V6Packet().Tcp(1000, 80).Payload("odd").Build() },
        { "udp over ipv6", V6Packet().Udp(1000, 80).PayloadOf(1400).Build() },
        { "icmpv6", V6Packet().EchoRequest(1, 2).PayloadOf(57).Build() },
        { "behind extension headers", V6Packet().HopByHop().DestinationOptions().Tcp(1, 2).PayloadOf(7).Build() },
        { "behind an atomic fragment", V6Packet().Fragment(0, false, 1).Udp(1, 2).PayloadOf(7).Build() },
        {
            "routed by segments",
            V6Packet()
                .Routing(4, 1, [1, 0, 0, 0, .. Address("2001:db8::9"), .. Address("2001:db8::8")]).Udp(1, 2).PayloadOf(7).Build()
        },
        { "routed and arrived", V6Packet().Routing(0, 0, [0, 0, 0, 0, .. Address("2001:db8::9")]).Udp(1, 2).Build() },
    };

    [Theory]
    [MemberData(nameof(Packets))]
    public void VerifyTransport_BuiltPacket_IsValidAndEveryFlippedBitIsNot(string what, byte[] packet)
    {
        Assert.True(InternetChecksum.VerifyTransport(packet) == ChecksumStatus.Valid, what);
        Assert.Equal(ChecksumStatus.Valid, InternetChecksum.VerifyTransport([.. packet, 1, 2, 3]));
        int transport = Reference.ReferenceDecoder.DecodeIp(packet).TransportOffset;
        for (int bit = transport * 8; bit < packet.Length * 8; bit++)
        {
            byte[] damaged = (byte[])packet.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.True(InternetChecksum.VerifyTransport(damaged) != ChecksumStatus.Valid, $"{what}: bit {bit}");
        }
    }

    [Theory]
    [MemberData(nameof(Packets))]
    public void TryFillTransport_WrongChecksum_IsComputedAgain(string what, byte[] packet)
    {
        Reference.ReferencePacket reference = Reference.ReferenceDecoder.DecodeIp(packet);
        Assert.True(reference.TransportChecksumRight, what);
        int at = reference.TransportOffset + reference.Protocol switch { 6 => 16, 17 => 6, _ => 2 };
        byte[] copy = (byte[])packet.Clone();
        (copy[at], copy[at + 1]) = (0x12, 0x34);
        Assert.True(InternetChecksum.TryComputeTransport(copy, out ushort checksum));
        Assert.Equal((packet[at] << 8) | packet[at + 1], checksum);
        Assert.True(InternetChecksum.TryFillTransport(copy));
        Assert.Equal(packet, copy);
    }

    public static TheoryData<string, byte[]> Inapplicable => new()
    {
        { "empty", [] },
        { "first fragment", V4Packet(new Ipv4Fields { MoreFragments = true }).Udp(1, 2).PayloadOf(8).Build() },
        { "later fragment", V4Packet(new Ipv4Fields { FragmentOffsetBytes = 8 }).Udp(1, 2).PayloadOf(8).Build() },
        { "fragment of ipv6", V6Packet().Fragment(0, true, 1).Udp(1, 2).PayloadOf(8).Build() },
        { "other protocol", V4Packet().Carrying(IpProtocols.Sctp).PayloadOf(20).Build() },
        { "icmp over ipv6", V6Packet().Icmpv4(Icmpv4Fields.EchoRequest(1, 1)).Build() },
        { "icmpv6 over ipv4", V4Packet().Icmpv6(Icmpv6Fields.EchoRequest(1, 1)).Build() },
        { "cut", V4Packet().Tcp(1, 2).Build()[..39] },
        { "cut header", V4Packet().Carrying(IpProtocols.Tcp).PayloadOf(19).Build() },
        { "udp shorter than its length", V4Packet().Carrying(IpProtocols.Udp).Payload([0, 1, 0, 2, 0, 9, 0, 0]).Build() },
        { "unknown route", V6Packet().Routing(3, 1, new byte[20]).Udp(1, 2).Build() },
        { "bad extension", V6Packet().DestinationOptions().HopByHop().Udp(1, 2).Build() },
    };

    [Theory]
    [MemberData(nameof(Inapplicable))]
    public void VerifyTransport_NothingToCheck_SaysSo(string what, byte[] packet)
    {
        Assert.True(InternetChecksum.VerifyTransport(packet) == ChecksumStatus.NotApplicable, what);
        byte[] copy = (byte[])packet.Clone();
        Assert.False(InternetChecksum.TryFillTransport(copy) || InternetChecksum.TryComputeTransport(packet, out _));
        Assert.Equal(packet, copy);
    }

    [Fact]
    public void VerifyTransport_UdpWithoutChecksum_IsAbsent()
    {
        Assert.Equal(ChecksumStatus.Absent, InternetChecksum.VerifyTransport(V4Packet().Udp(1, 2, checksum: false).Build()));
        Assert.Equal(ChecksumStatus.Absent, InternetChecksum.VerifyTransport(V6Packet().Udp(1, 2, checksum: false).Build()));
    }

    /// <summary>An echo reply of zeros adds up to nothing: its checksum is all ones, and taking it out of a sum would give 0 instead.</summary>
    [Fact]
    public void TryComputeTransport_AllZeroMessage_IsAllOnes()
    {
        byte[] packet = V4Packet().EchoReply(0, 0).Build();
        Assert.Equal("0000FFFF00000000", Convert.ToHexString(packet.AsSpan(20)));
        Assert.True(InternetChecksum.TryComputeTransport(packet, out ushort checksum));
        Assert.Equal(0xFFFF, checksum);
        Assert.Equal(ChecksumStatus.Valid, InternetChecksum.VerifyTransport(packet));
    }

    [Fact]
    public void VerifyTransport_SourceRoute_CoversTheFinalDestination()
    {
        var fields = new Ipv4Fields { Source = IpAddress.Parse("10.0.0.1"), Destination = IpAddress.Parse("192.0.2.99"), Ttl = 1 };
        byte[] arrived = PacketBuilder.WithoutLink().Ipv4(fields).Tcp(1, 2).Build();
        byte[] travelling = PacketBuilder.WithoutLink()
            .Ipv4(fields with { Destination = IpAddress.Parse("10.0.0.9") }, Convert.FromHexString("830704" + "C0000263"))
            .Carrying(IpProtocols.Tcp).Payload(arrived.AsSpan(20)).Build();
        Assert.Equal(ChecksumStatus.Valid, InternetChecksum.VerifyTransport(travelling));
    }

    private static PacketBuilder V4Packet(Ipv4Fields fields = default) =>
        PacketBuilder.WithoutLink().Ipv4(fields with { Source = IpAddress.Parse("10.0.0.1"), Destination = IpAddress.Parse("192.0.2.7") });

    private static PacketBuilder V6Packet() => PacketBuilder.WithoutLink().Ipv6("2001:db8::1", "2001:db8::2");

    private static byte[] Address(string text)
    {
        byte[] bytes = new byte[16];
        IpAddress.Parse(text).Write(bytes);
        return bytes;
    }
}
