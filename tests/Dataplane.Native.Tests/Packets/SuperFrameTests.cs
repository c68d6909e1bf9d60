using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Native.Tests.Packets;

public class SuperFrameTests
{
    private const byte TcpV4 = 1, TcpV6 = 4, UdpL4 = 5;
    private const byte Fin = 1, Psh = 8, Ack = 16, Cwr = 128;

    [Fact]
    public void WriteNext_TcpOverIpv4_CountsUpAndKeepsFlagsWhereTheyBelong()
    {
        byte[] frame = Tcp(ipv6: false, 3500, Fin | Psh | Ack | Cwr, identification: 0xFFFE, sequence: 0xFFFF_FF00);
        byte[][] segments = Cut(frame, TcpV4, 1460);

        Assert.Equal([54 + 1460, 54 + 1460, 54 + 580], segments.Select(s => s.Length));
        Frames.Decoded[] decoded = [.. segments.Select(Verified)];
        Assert.Equal([0xFFFE, 0xFFFF, 0x0000], decoded.Select(d => d.Identification));
        Assert.Equal([0xFFFF_FF00, 0x0000_04B4, 0x0000_0A68], decoded.Select(d => d.Sequence));
        Assert.Equal([Cwr | Ack, Ack, Fin | Psh | Ack], decoded.Select(d => d.Flags));
        Assert.Equal(frame[54..], segments.SelectMany(s => s[54..]));
    }

    [Fact]
    public void WriteNext_TcpOverIpv6WithExtensionHeader_StatesEachLength()
    {
        byte[] frame = Tcp(ipv6: true, 3000, Psh | Ack, extension: true);
        byte[][] segments = Cut(frame, TcpV6, 1400);
        Assert.Equal([1400, 1400, 200], segments.Select(s => s.Length - 82));
        Assert.Equal([1428, 1428, 228], segments.Select(s => BinaryPrimitives.ReadUInt16BigEndian(s.AsSpan(18))));
        Assert.Equal(frame[82..], segments.SelectMany(s => s[82..]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WriteNext_Udp_StatesEachLengthAndChecksum(bool ipv6)
    {
        byte[] frame = Udp(ipv6, 2500, checksum: 0x1234);
        int header = ipv6 ? 62 : 42;
        byte[][] segments = Cut(frame, UdpL4, 1000);
        Assert.Equal([1000, 1000, 500], segments.Select(s => Verified(s).PayloadBytes));
        Assert.All(segments, s => Assert.NotEqual(0, BinaryPrimitives.ReadUInt16BigEndian(s.AsSpan(header - 2))));
        Assert.Equal(frame[header..], segments.SelectMany(s => s[header..]));
    }

    [Fact]
    public void WriteNext_UdpOverIpv4WithoutChecksum_StaysWithout()
    {
        byte[][] segments = Cut(Udp(ipv6: false, 2500, checksum: 0), UdpL4, 1000);
        Assert.All(segments, s => Assert.Equal(0, BinaryPrimitives.ReadUInt16BigEndian(s.AsSpan(40))));
    }

    [Theory]
    [InlineData(new byte[] { 0x81, 0x00, 0x20, 0x05 })]
    [InlineData(new byte[] { 0x88, 0xA8, 0x00, 0x07, 0x81, 0x00, 0x20, 0x05 })]
    public void WriteNext_Tagged_RepeatsTheTags(byte[] tags)
    {
        byte[] plain = Tcp(ipv6: false, 3000, Ack);
        byte[] frame = [.. plain[..12], .. tags, .. plain[12..]];
        byte[][] segments = Cut(frame, TcpV4, 1000);
        Assert.Equal(3, segments.Length);
        Assert.All(segments, s => Assert.Equal(tags, s[12..(12 + tags.Length)]));
        Assert.All(segments, s => Assert.Equal(5, Verified(s).VlanId));
    }

    [Fact]
    public void WriteNext_BytesBehindThePacket_AreNotSent()
    {
        byte[] frame = [.. Tcp(ipv6: false, 1500, Ack), 0xDE, 0xAD];
        Assert.Equal(1500, Cut(frame, TcpV4, 1000).Sum(s => Verified(s).PayloadBytes));
    }

    [Fact]
    public void WriteNext_LessThanOneSegment_IsOne() => Assert.Single(Cut(Tcp(ipv6: false, 100, Ack), TcpV4, 1460));

    public static TheoryData<string, byte[], byte, int> Refused()
    {
        byte[] tcp4 = Tcp(ipv6: false, 3000, Ack), tcp6 = Tcp(ipv6: true, 3000, Ack), udp4 = Udp(ipv6: false, 3000, 1);
        return new TheoryData<string, byte[], byte, int>
        {
            { "no segment size", tcp4, TcpV4, 0 },
            { "unknown kind", tcp4, 3, 1000 },
            { "IPv4 said to be IPv6", tcp4, TcpV6, 1000 },
            { "IPv6 said to be IPv4", tcp6, TcpV4, 1000 },
            { "UDP said to be TCP: a tunnel", udp4, TcpV4, 1000 },
            { "TCP said to be UDP", tcp4, UdpL4, 1000 },
            { "no payload", tcp4[..54], TcpV4, 1000 },
            { "cut off", tcp4[..200], TcpV4, 1000 },
            { "cut off in IPv4", tcp4[..30], TcpV4, 1000 },
            { "cut off in Ethernet", tcp4[..13], TcpV4, 1000 },
            { "empty", [], TcpV4, 1000 },
            { "IPv4 version", With(tcp4, 14, 0x65), TcpV4, 1000 },
            { "IPv4 header length", With(tcp4, 14, 0x44), TcpV4, 1000 },
            { "IPv4 fragment", With(tcp4, 20, 0x20), TcpV4, 1000 },
            { "TCP header length", With(tcp4, 46, 0x40), TcpV4, 1000 },
            { "IPv6 version", With(tcp6, 14, 0x40), TcpV6, 1000 },
            { "IPv6 routing header", With(tcp6, 20, 43), TcpV6, 1000 },
            { "IPv6 fragment header", With(tcp6, 20, 44), TcpV6, 1000 },
            { "three tags", [.. tcp4[..12], 0x81, 0, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1, .. tcp4[12..]], TcpV4, 1000 },
        };
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void TryOpen_NotWhatTheOffloadHeaderSays_IsRefused(string why, byte[] frame, byte gsoType, int segmentBytes)
    {
        SuperFrame superFrame = default;
        Assert.False(superFrame.TryOpen(frame, gsoType, segmentBytes), why);
        Assert.False(superFrame.IsPending);
    }

    [Fact]
    public void TryOpen_SegmentThatCannotStateItsLength_IsRefused()
    {
        byte[] frame = Tcp(ipv6: false, 70_000, Ack);
        frame[16] = 0;
        frame[17] = 0;
        SuperFrame superFrame = default;
        Assert.False(superFrame.TryOpen(frame, TcpV4, 65_535));
        Assert.True(superFrame.TryOpen(frame, TcpV4, 65_495));
    }

    // Bytes that begin like a real super-frame and then differ anywhere: either refused, or cut without reading or writing outside.
    [Fact]
    public void WriteNext_MutatedFrames_StaysInside()
    {
        byte[][] seeds = [Tcp(false, 400, Ack), Tcp(true, 400, Ack, extension: true), Udp(false, 400, 1), Udp(true, 400, 1)];
        var mutations = (from seed in Gen.Choose(0, seeds.Length - 1)
                         from length in Gen.Choose(0, seeds[seed].Length)
                         from edits in Gen.ListOf(Gen.Choose(0, 80).Zip(Gen.Choose(0, 255)))
                         from type in Gen.Elements(TcpV4, TcpV6, UdpL4, (byte)(TcpV4 | 0x80))
                         from size in Gen.Choose(1, 600)
                         select (seed, length, edits, type, size)).ToArbitrary();
        Prop.ForAll(mutations, m =>
        {
            byte[] bytes = seeds[m.seed][..m.length];
            foreach ((int at, int value) in m.edits.Take(3).Where(e => e.Item1 < bytes.Length))
                bytes[at] = (byte)value;
            using var guarded = MappedRegion.WithGuardPage(bytes.Length + 1);
            Span<byte> frame = guarded.Span[1..];
            bytes.CopyTo(frame);
            SuperFrame superFrame = default;
            if (!superFrame.TryOpen(frame, m.type, m.size))
                return;
            using var target = MappedRegion.WithGuardPage(superFrame.LongestSegmentBytes);
            int total = 0;
            while (superFrame.IsPending)
            {
                int length = superFrame.WriteNext(frame, target.Span);
                Assert.InRange(length, 1, target.LengthBytes);
                Assert.Null(Frames.Verify(target.Span[..length], out Frames.Decoded decoded));
                total += length;
            }

            Assert.True(total > 0);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
    }

    private static byte[] With(byte[] frame, int at, byte value)
    {
        byte[] copy = [.. frame];
        copy[at] = value;
        return copy;
    }

    private static Frames.Decoded Verified(byte[] segment)
    {
        Assert.Null(Frames.Verify(segment, out Frames.Decoded decoded));
        return decoded;
    }

    private static byte[][] Cut(byte[] frame, byte gsoType, int segmentBytes)
    {
        SuperFrame superFrame = default;
        Assert.True(superFrame.TryOpen(frame, gsoType, segmentBytes));
        var segments = new List<byte[]>();
        byte[] target = new byte[superFrame.LongestSegmentBytes];
        while (superFrame.IsPending)
            segments.Add(target[..superFrame.WriteNext(frame, target)]);
        return [.. segments];
    }

    private static byte[] Tcp(bool ipv6, int payload, int flags, int identification = 1, uint sequence = 1000, bool extension = false)
    {
        byte[] tcp = new byte[20 + payload];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, 4000);
        BinaryPrimitives.WriteUInt32BigEndian(tcp.AsSpan(4), sequence);
        tcp[12] = 0x50;
        tcp[13] = (byte)flags;
        return Packet(ipv6, 6, tcp, 20, identification, extension);
    }

    private static byte[] Udp(bool ipv6, int payload, int checksum)
    {
        byte[] udp = new byte[8 + payload];
        BinaryPrimitives.WriteUInt16BigEndian(udp, 4000);
        BinaryPrimitives.WriteUInt16BigEndian(udp.AsSpan(4), (ushort)udp.Length);
        BinaryPrimitives.WriteUInt16BigEndian(udp.AsSpan(6), (ushort)checksum);
        return Packet(ipv6, 17, udp, 8, 1, extension: false);
    }

    private static byte[] Packet(bool ipv6, byte protocol, byte[] transport, int header, int identification, bool extension)
    {
        for (int i = header; i < transport.Length; i++)
            transport[i] = (byte)(i * 17);
        byte[] ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, .. ipv6 ? new byte[] { 0x86, 0xDD } : [0x08, 0x00]];
        if (!ipv6)
        {
            byte[] ip = new byte[20];
            ip[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(2), (ushort)(20 + transport.Length));
            BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(4), (ushort)identification);
            ip[8] = 64;
            ip[9] = protocol;
            (ip[12], ip[15], ip[16], ip[19]) = (10, 1, 10, 2);
            return [.. ethernet, .. ip, .. transport];
        }

        byte[] options = extension ? [protocol, 0, 1, 4, 0, 0, 0, 0] : [];
        byte[] ip6 = new byte[40];
        ip6[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(ip6.AsSpan(4), (ushort)(options.Length + transport.Length));
        ip6[6] = extension ? (byte)60 : protocol;
        ip6[7] = 64;
        (ip6[8], ip6[23], ip6[24], ip6[39]) = (0xFD, 1, 0xFD, 2);
        return [.. ethernet, .. ip6, .. options, .. transport];
    }
}
