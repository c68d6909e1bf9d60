using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>Fragments between the families, and what is too long for the way out.</summary>
public sealed class Nat64FragmentTests
{
    [Fact]
    public async Task FragmentsOfIpv6_BecomeFragmentsOfIpv4()
    {
        await using TestPlane plane = Create();
        IReadOnlyList<byte[]> sent = FromInside().Udp(5353, 53).PayloadOf(3000).BuildFragments(1232, 0x5678_1234);
        IReadOnlyList<byte[]> expected = AtOutside(0x1234).Udp(5353, 53).PayloadOf(3000).BuildFragments(1232, 0x1234);
        Assert.Equal(3, sent.Count);
        for (int piece = 0; piece < 3; piece++)
        {
            Same(expected[piece], plane.SendForOne("lan", sent[piece], "wan"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FragmentsOfIpv4_BecomeFragmentsOfIpv6(bool lastFirst)
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        IReadOnlyList<byte[]> sent = FromOutside(identification: 0x1234, dontFragment: false).Udp(53, 5353).PayloadOf(3000).BuildFragments(1200, 0x1234);
        IReadOnlyList<byte[]> expected = AtInside().Udp(53, 5353).PayloadOf(3000).BuildFragments(1200, 0x1234);
        var arrived = new List<byte[]>();
        foreach (byte[] fragment in lastFirst ? sent.Reverse() : sent)
        {
            arrived.AddRange(plane.Send("wan", fragment).Select(frame => frame.Frame));
        }

        Assert.Equal(expected.Select(Convert.ToHexString).Order(), arrived.Select(Convert.ToHexString).Order());
    }

    [Theory]
    [InlineData(1260, 1)]
    [InlineData(1261, 2)]
    [InlineData(1500, 2)]
    public async Task Ipv4ThatMayBeFragmented_FitsEveryIpv6Link(int length, int pieces)
    {
        // RFC 7915 4: as it is while it has no more than 1,280 bytes as IPv6, else in pieces of that.
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", FromOutside(dontFragment: false).Udp(53, 5353).PayloadOf(length - 28).Build());
        Assert.Equal(pieces, sent.Count);
        Assert.All(sent, frame => Assert.InRange(frame.Frame.Length, 15, 14 + 1280));
    }

    [Fact]
    public async Task Ipv4OfTheFullLength_IsCutByteExact()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        string[] sent = [.. plane.Send("wan", FromOutside(identification: 0x4321, dontFragment: false).Udp(53, 5353).PayloadOf(1472).Build()).Select(frame => Convert.ToHexString(frame.Frame)).Order()];
        Assert.Equal(AtInside().Udp(53, 5353).PayloadOf(1472).BuildFragments(1232, 0x4321).Select(Convert.ToHexString).Order(), sent);

        // Echo alike, whose checksum covers the whole message.
        plane.SendForOne("lan", FromInside().EchoRequest(7, 1).Build(), "wan");
        sent = [.. plane.Send("wan", FromOutside(identification: 0x4322, dontFragment: false).EchoReply(7, 1).PayloadOf(1400).Build()).Select(frame => Convert.ToHexString(frame.Frame)).Order()];
        Assert.Equal(AtInside().EchoReply(7, 1).PayloadOf(1400).BuildFragments(1232, 0x4322).Select(Convert.ToHexString).Order(), sent);
    }

    [Fact]
    public async Task Ipv4Fragment_TooLongAsIpv6_IsCutFurther()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        IReadOnlyList<byte[]> sent = FromOutside(identification: 0x77, dontFragment: false).Udp(53, 5353).PayloadOf(2952).BuildFragments(1480, 0x77);
        var arrived = new List<byte[]>();
        foreach (byte[] fragment in sent)
        {
            arrived.AddRange(plane.Send("wan", fragment).Select(frame => frame.Frame));
        }

        Assert.Equal(4, arrived.Count);
        Assert.All(arrived, frame => Assert.InRange(frame.Length, 14 + 48, 14 + 1280));
        byte[] whole = AtInside().Udp(53, 5353).PayloadOf(2952).Build()[54..], joined = new byte[whole.Length];
        foreach (byte[] frame in arrived)
        {
            int place = BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(56));
            Assert.Equal(place / 8 * 8 + frame.Length - 62 < whole.Length, (place & 1) != 0);
            Assert.Equal(0x77u, BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(58)));
            frame.AsSpan(62).CopyTo(joined.AsSpan(place & 0xFFF8));
        }

        Same(whole, joined);
    }

    [Theory]
    [InlineData(1480, true)]
    [InlineData(1481, false)]
    public async Task Ipv4NotToBeFragmented_TooLongAsIpv6_IsTold20BytesLess(int length, bool fits)
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        byte[] packet = FromOutside().Udp(53, 5353).PayloadOf(length - 28).Build();
        if (fits)
        {
            Same(AtInside().Udp(53, 5353).PayloadOf(length - 28).Build(), plane.SendForOne("wan", packet, "lan"));
            return;
        }

        (string port, byte[] error) = Assert.Single(plane.SendForDrop("wan", packet, DropReason.PacketTooBig));
        Assert.Equal(("wan", 3, 4, 1480), (port, error[34], error[35], BinaryPrimitives.ReadUInt16BigEndian(error.AsSpan(40))));
    }

    [Theory]
    [InlineData(1400, 1420, 1420)]
    [InlineData(1400, 1421, 0)]
    [InlineData(1000, 1400, 0)]
    public async Task Ipv6_TooLongAsIpv4_IsTold20BytesMoreButNotBelow1280(int wanMtu, int length, int passes)
    {
        await using TestPlane plane = Create(wanMtu: wanMtu);
        byte[] packet = FromInside().Udp(5353, 53).PayloadOf(length - 48).Build();
        if (passes > 0)
        {
            plane.SendForOne("lan", packet, "wan");
            return;
        }

        (string port, byte[] error) = Assert.Single(plane.SendForDrop("lan", packet, DropReason.PacketTooBig));
        Assert.Equal(("lan", 2u, (uint)Math.Max(1280, wanMtu + 20)), (port, error[54], BinaryPrimitives.ReadUInt32BigEndian(error.AsSpan(58))));

        // What the sender then sends is fragmented where it does not fit.
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("lan", FromInside().Udp(5353, 53).PayloadOf(Math.Max(1280, wanMtu + 20) - 48).Build());
        Assert.Equal(wanMtu < 1260 ? 2 : 1, sent.Count);
        Assert.All(sent, frame => Assert.InRange(frame.Frame.Length, 15, 14 + wanMtu));
    }
}
