using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>ICMP errors about flows between the families: every row of RFC 7915 4.2 and 5.2, with the packet they quote (4.3, 5.3).</summary>
public sealed class Nat64ErrorTests
{
    private const int None = -1;
    private static readonly IpAddress s_router = IpAddress.Parse("198.51.100.77"), s_inner = IpAddress.Parse("2001:db8:2::7");

    private static readonly ReferenceTranslator s_reference = new(Bytes(Host(11)), Bytes(Gateway), Bytes(Embedded)[..12], 5353, 5353);

    [Theory]
    [InlineData(3, 0, 0u, 1, 0, 0u)]
    [InlineData(3, 1, 0u, 1, 0, 0u)]
    [InlineData(3, 2, 0u, 4, 1, 6u)]
    [InlineData(3, 3, 0u, 1, 4, 0u)]
    [InlineData(3, 4, 1400u, 2, 0, 1420u)]
    [InlineData(3, 4, 1500u, 2, 0, 1500u)]
    [InlineData(3, 4, 600u, 2, 0, 1280u)]
    [InlineData(3, 4, 0u, 2, 0, 1280u)]
    [InlineData(3, 5, 0u, 1, 0, 0u)]
    [InlineData(3, 6, 0u, 1, 0, 0u)]
    [InlineData(3, 7, 0u, 1, 0, 0u)]
    [InlineData(3, 8, 0u, 1, 0, 0u)]
    [InlineData(3, 9, 0u, 1, 1, 0u)]
    [InlineData(3, 10, 0u, 1, 1, 0u)]
    [InlineData(3, 11, 0u, 1, 0, 0u)]
    [InlineData(3, 12, 0u, 1, 0, 0u)]
    [InlineData(3, 13, 0u, 1, 1, 0u)]
    [InlineData(3, 14, 0u, None, 0, 0u)]
    [InlineData(3, 15, 0u, 1, 1, 0u)]
    [InlineData(3, 16, 0u, None, 0, 0u)]
    [InlineData(4, 0, 0u, None, 0, 0u)]
    [InlineData(11, 0, 0u, 3, 0, 0u)]
    [InlineData(11, 1, 0u, 3, 1, 0u)]
    [InlineData(12, 0, 0x00000000u, 4, 0, 0u)]
    [InlineData(12, 0, 0x01000000u, 4, 0, 1u)]
    [InlineData(12, 0, 0x02000000u, 4, 0, 4u)]
    [InlineData(12, 0, 0x03000000u, 4, 0, 4u)]
    [InlineData(12, 0, 0x04000000u, None, 0, 0u)]
    [InlineData(12, 0, 0x05000000u, None, 0, 0u)]
    [InlineData(12, 0, 0x06000000u, None, 0, 0u)]
    [InlineData(12, 0, 0x07000000u, None, 0, 0u)]
    [InlineData(12, 0, 0x08000000u, 4, 0, 7u)]
    [InlineData(12, 0, 0x09000000u, 4, 0, 6u)]
    [InlineData(12, 0, 0x0A000000u, None, 0, 0u)]
    [InlineData(12, 0, 0x0B000000u, None, 0, 0u)]
    [InlineData(12, 0, 0x0C000000u, 4, 0, 8u)]
    [InlineData(12, 0, 0x0F000000u, 4, 0, 8u)]
    [InlineData(12, 0, 0x10000000u, 4, 0, 24u)]
    [InlineData(12, 0, 0x13000000u, 4, 0, 24u)]
    [InlineData(12, 0, 0x14000000u, None, 0, 0u)]
    [InlineData(12, 1, 0u, None, 0, 0u)]
    [InlineData(12, 2, 0x02000000u, 4, 0, 4u)]
    [InlineData(12, 3, 0u, None, 0, 0u)]
    public async Task ErrorOfIpv4_BecomesThatOfIpv6(int type, int code, uint rest, int newType, int newCode, uint newRest)
    {
        await using TestPlane plane = Create();
        byte[] sent = plane.SendForOne("lan", FromInside().Udp(5353, 53).Payload("to be quoted, whole").Build(), "wan");
        byte[] error = ErrorV4(s_router, type, code, rest, sent[14..]);
        if (newType == None)
        {
            Assert.Empty(plane.SendForDrop("wan", error, DropReason.NatUnsupported));
            return;
        }

        byte[] arrived = plane.SendForOne("wan", error, "lan");
        byte[] expected = s_reference.ToV6(error[14..], error: (newType, newCode, newRest));
        Same(expected, arrived[14..]);
        ReferencePacket seen = ReferenceDecoder.Decode(arrived);
        Assert.Equal((Behind(s_router).ToString(), Host(11).ToString(), true), (seen.Source, seen.Destination, seen.TransportChecksumRight == true));

        // The host gets back what it has sent, but for what changed on its way.
        byte[] quoted = arrived[(14 + 48)..], original = FromInside(ttl: 63).Udp(5353, 53).Payload("to be quoted, whole").Build()[14..];
        (original[1], original[2], original[3]) = (0, 0, 0);
        Same(original, quoted);
    }

    [Theory]
    [InlineData(1, 0, 0u, 3, 1, 0u)]
    [InlineData(1, 1, 0u, 3, 10, 0u)]
    [InlineData(1, 2, 0u, 3, 1, 0u)]
    [InlineData(1, 3, 0u, 3, 1, 0u)]
    [InlineData(1, 4, 0u, 3, 3, 0u)]
    [InlineData(1, 5, 0u, None, 0, 0u)]
    [InlineData(1, 6, 0u, None, 0, 0u)]
    [InlineData(2, 0, 1400u, 3, 4, 1380u)]
    [InlineData(2, 0, 1280u, 3, 4, 1260u)]
    [InlineData(2, 0, 9000u, 3, 4, 1480u)]
    [InlineData(3, 0, 0u, 11, 0, 0u)]
    [InlineData(3, 1, 0u, 11, 1, 0u)]
    [InlineData(4, 0, 0u, 12, 0, 0x00000000u)]
    [InlineData(4, 0, 1u, 12, 0, 0x01000000u)]
    [InlineData(4, 0, 2u, None, 0, 0u)]
    [InlineData(4, 0, 3u, None, 0, 0u)]
    [InlineData(4, 0, 4u, 12, 0, 0x02000000u)]
    [InlineData(4, 0, 5u, 12, 0, 0x02000000u)]
    [InlineData(4, 0, 6u, 12, 0, 0x09000000u)]
    [InlineData(4, 0, 7u, 12, 0, 0x08000000u)]
    [InlineData(4, 0, 8u, 12, 0, 0x0C000000u)]
    [InlineData(4, 0, 23u, 12, 0, 0x0C000000u)]
    [InlineData(4, 0, 24u, 12, 0, 0x10000000u)]
    [InlineData(4, 0, 39u, 12, 0, 0x10000000u)]
    [InlineData(4, 0, 40u, None, 0, 0u)]
    [InlineData(4, 0, 0xFFFFFFFFu, None, 0, 0u)]
    [InlineData(4, 1, 6u, 3, 2, 0u)]
    [InlineData(4, 2, 40u, None, 0, 0u)]
    public async Task ErrorOfIpv6_BecomesThatOfIpv4(int type, int code, uint rest, int newType, int newCode, uint newRest)
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        byte[] answer = plane.SendForOne("wan", FromOutside().Udp(53, 5353).Payload("to be quoted").Build(), "lan");

        // A router inside whose address nobody outside shall see.
        byte[] error = ErrorV6(s_inner, type, code, rest, answer[14..]);
        if (newType == None)
        {
            Assert.Empty(plane.SendForDrop("lan", error, DropReason.NatUnsupported));
            return;
        }

        byte[] arrived = plane.SendForOne("lan", error, "wan");
        byte[] expected = s_reference.ToV4(error[14..], IdentificationOf(arrived), error: (newType, newCode, newRest));
        Same(expected, arrived[14..]);
        ReferencePacket seen = ReferenceDecoder.Decode(arrived);
        Assert.Equal((Gateway.ToString(), Server.ToString(), true, true), (seen.Source, seen.Destination, seen.TransportChecksumRight == true, seen.HeaderChecksumRight == true));
    }

    [Fact]
    public async Task ErrorAboutEcho_IsToldWithTheIdentifierOfTheHost()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside(12).EchoRequest(5353, 1).Payload("other").Build(), "wan");
        byte[] sent = plane.SendForOne("lan", FromInside(11).EchoRequest(5353, 2).Payload("traceroute").Build(), "wan");
        int outside = (sent[38] << 8) | sent[39];
        byte[] error = ErrorV4(s_router, 11, 0, 0, sent[14..]);
        byte[] arrived = plane.SendForOne("wan", error, "lan");
        Same((s_reference with { PoolPort = outside }).ToV6(error[14..], error: (3, 0, 0)), arrived[14..]);
        Assert.True(ReferenceDecoder.DecodeIp(arrived[62..]).TransportChecksumRight);
    }

    [Fact]
    public async Task ErrorAboutTcp_OfWhichEightBytesAreQuoted_Arrives()
    {
        await using TestPlane plane = Create();
        byte[] sent = plane.SendForOne("lan", FromInside().Tcp(5353, 80, TcpFlags.Syn, 1234).Build(), "wan");
        byte[] arrived = plane.SendForOne("wan", ErrorV4(s_router, 3, 1, 0, sent[14..42]), "lan");
        Assert.Equal(14 + 40 + 8 + 40 + 8, arrived.Length);
        Assert.Equal((5353, 80, 1234u), (BinaryPrimitives.ReadUInt16BigEndian(arrived.AsSpan(102)), BinaryPrimitives.ReadUInt16BigEndian(arrived.AsSpan(104)),
            BinaryPrimitives.ReadUInt32BigEndian(arrived.AsSpan(106))));
        Assert.True(ReferenceDecoder.Decode(arrived).TransportChecksumRight);
    }

    [Fact]
    public async Task LongErrors_AreCutToWhatTheirFamilyAllows()
    {
        await using TestPlane plane = Create();
        byte[] sent = plane.SendForOne("lan", FromInside().Udp(5353, 53).PayloadOf(1400).Build(), "wan");
        byte[] toV6 = plane.SendForOne("wan", ErrorV4(s_router, 3, 1, 0, sent[14..]), "lan");
        Assert.Equal((14 + 1280, true), (toV6.Length, ReferenceDecoder.Decode(toV6).TransportChecksumRight == true));
        byte[] answer = plane.SendForOne("wan", FromOutside().Udp(53, 5353).PayloadOf(1400).Build(), "lan");
        byte[] toV4 = plane.SendForOne("lan", ErrorV6(Host(11), 1, 4, 0, answer[14..1200]), "wan");
        Assert.Equal((14 + 576, true), (toV4.Length, ReferenceDecoder.Decode(toV4).TransportChecksumRight == true));
    }

    [Fact]
    public async Task WhatIsBehindTheQuotation_IsLeftOut()
    {
        // RFC 4884: 128 bytes of the packet, then objects, which are MPLS labels as a rule.
        await using TestPlane plane = Create();
        byte[] sent = plane.SendForOne("lan", FromInside().Udp(5353, 53).PayloadOf(300).Build(), "wan");
        byte[] error = ErrorV4(s_router, 11, 0, 128 / 4 << 16, [.. sent[14..142], 0x20, 0, 0, 0, 0, 8, 1, 1, 0, 0, 0, 0]);
        byte[] arrived = plane.SendForOne("wan", error, "lan");
        Assert.Equal((14 + 48 + 128 + 20, 0), (arrived.Length, arrived[14 + 44]));
        Assert.True(ReferenceDecoder.Decode(arrived).TransportChecksumRight);
    }

    [Fact]
    public async Task ErrorWithAWrongChecksum_IsNotBelieved()
    {
        await using TestPlane plane = Create();
        byte[] sent = plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        byte[] error = ErrorV4(s_router, 11, 0, 0, sent[14..]);
        error[36] ^= 1;
        plane.SendForDrop("wan", error, DropReason.IcmpInvalid);
    }

    [Fact]
    public async Task RouterThatMustNotStandBehindTheWellKnownPrefix_SpeaksAsTheServer()
    {
        var server = IpAddress.Parse("8.8.8.8");
        await using TestPlane plane = Create(Rule() with { Nat64 = IpPrefix.Parse("64:ff9b::/96") });
        byte[] sent = plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6(Host(11).ToString(), "64:ff9b::" + server).Udp(5353, 53).Build(), "wan");
        byte[] arrived = plane.SendForOne("wan", ErrorV4(IpAddress.Parse("10.9.9.9"), 3, 4, 1400, sent[14..]), "lan");
        Assert.Equal("64:ff9b::808:808", IpAddress.Parse(ReferenceDecoder.Decode(arrived).Source).ToString());
    }

    private static byte[] ErrorV4(IpAddress source, int type, int code, uint rest, byte[] quoted) => Finish(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
        .Ipv4(source.ToString(), Gateway.ToString(), 60, 0xC0).Carrying(IpProtocols.Icmp).Payload(Message(type, code, rest, quoted)).Build(), 34, []);

    private static byte[] ErrorV6(IpAddress source, int type, int code, uint rest, byte[] quoted)
    {
        byte[] message = Message(type, code, rest, quoted);
        byte[] frame = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6(source.ToString(), Embedded.ToString(), 60, 0xC0).Carrying(IpProtocols.Icmpv6).Payload(message).Build();
        return Finish(frame, 54, [.. frame[22..54], 0, 0, (byte)(message.Length >> 8), (byte)message.Length, 0, 0, 0, 58]);
    }

    private static byte[] Message(int type, int code, uint rest, byte[] quoted) =>
        [(byte)type, (byte)code, 0, 0, (byte)(rest >> 24), (byte)(rest >> 16), (byte)(rest >> 8), (byte)rest, .. quoted];

    private static byte[] Finish(byte[] frame, int at, byte[] pseudo)
    {
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(at + 2), InternetChecksum.Compute((byte[])[.. pseudo, .. frame[at..]]));
        return frame;
    }

    private static byte[] Bytes(IpAddress address)
    {
        byte[] bytes = new byte[address.WireLengthBytes];
        address.Write(bytes);
        return bytes;
    }
}
