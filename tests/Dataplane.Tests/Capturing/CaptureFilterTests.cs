using System.Globalization;
using Dataplane.Capturing;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Tests.Capturing;

/// <summary>What filters take, by a list of cases and against an oracle that knows trees and nothing of steps and words of answers.</summary>
public sealed class CaptureFilterTests
{
    private static readonly byte[] s_tcp = PacketBuilder.Ethernet("02:00:00:00:00:09", "02:00:00:00:01:01").Ipv4("192.0.2.1", "10.1.0.11").Tcp(40000, 443, TcpFlags.Syn).Build();
    private static readonly byte[] s_udp6 = PacketBuilder.Ethernet("02:00:00:00:00:09", "02:00:00:00:01:01").Ipv6("2001:db8:1::9", "2001:db8:2::11").Udp(5000, 53).Build();

    [Theory]
    [InlineData("", true, true)]
    [InlineData("host 192.0.2.1", true, false)]
    [InlineData("src host 10.1.0.11", false, false)]
    [InlineData("dst host 10.1.0.11", true, false)]
    [InlineData("net 10.1.0.0/16", true, false)]
    [InlineData("net 0.0.0.0/0", true, false)]
    [InlineData("net ::/0", false, true)]
    [InlineData("src net 2001:db8:1::/48", false, true)]
    [InlineData("dst net 2001:db8:2::11/128", false, true)]
    [InlineData("port 443", true, false)]
    [InlineData("tcp port 443", true, false)]
    [InlineData("udp port 443", false, false)]
    [InlineData("udp dst port 53", false, true)]
    [InlineData("src portrange 4999-5001", false, true)]
    [InlineData("ip", true, false)]
    [InlineData("ip6 and udp", false, true)]
    [InlineData("proto 17", false, true)]
    [InlineData("ether proto 0x800", true, false)]
    [InlineData("icmp or icmp6 or arp", false, false)]
    [InlineData("not tcp", false, true)]
    [InlineData("!(tcp||udp)", false, false)]
    [InlineData("tcp or udp and port 53", true, true)]
    [InlineData("(tcp or udp) and port 53", false, true)]
    [InlineData("flow 10.1.0.11:443 192.0.2.1:40000", true, false)]
    [InlineData("flow [2001:db8:1::9]:5000 [2001:db8:2::11]:53", false, true)]
    [InlineData("inbound", true, true)]
    [InlineData("outbound or dropped", false, false)]
    public void Filter_OfTwoPackets_TakesThoseItMeans(string filter, bool tcp, bool udp6)
    {
        var compiled = CaptureFilter.Parse(filter);
        Assert.Equal((tcp, udp6), (Ask(compiled, s_tcp, Verdict.Transmit, DropReason.None), Ask(compiled, s_udp6, Verdict.Transmit, DropReason.None)));
    }

    [Fact]
    public void Filter_OfFate_IsUnknownUntilItIsDecided()
    {
        CaptureFacts facts = Facts(s_tcp);
        Assert.Equal(CaptureAnswer.Unknown, CaptureFilter.Parse("dropped and host 192.0.2.1").Ask(in facts));
        Assert.Equal(CaptureAnswer.No, CaptureFilter.Parse("dropped and host 192.0.2.2").Ask(in facts));
        Assert.Equal(CaptureAnswer.Yes, CaptureFilter.Parse("dropped or host 192.0.2.1").Ask(in facts));
        Assert.True(Ask(CaptureFilter.Parse("reason no_route"), s_tcp, Verdict.Drop, DropReason.NoRoute));
        Assert.False(Ask(CaptureFilter.Parse("reason no_route"), s_tcp, Verdict.Drop, DropReason.NoFreePort));
        Assert.False(Ask(CaptureFilter.Parse("dropped"), s_tcp, Verdict.Drop, DropReason.ConsumedArp));
        Assert.True(Ask(CaptureFilter.Parse("held"), s_tcp, Verdict.Hold, DropReason.None));
    }

    [Fact]
    public void Filter_OfMalformedPackets_KnowsTheirAddresses()
    {
        byte[] bad = (byte[])s_tcp.Clone();
        bad[24] ^= 0xFF;
        Assert.True(Ask(CaptureFilter.Parse("reason bad_ip_checksum and tcp port 443 and host 192.0.2.1"), bad, Verdict.Drop, DropReason.BadIpChecksum));
    }

    [Theory]
    [InlineData("hots 10.1.0.1", 1, "expected one of host")]
    [InlineData("tcp and", 8, "the end")]
    [InlineData("host 10.1.0.256", 6, "expected an IPv4 or IPv6 address")]
    [InlineData("port 65536", 6, "0 to 65535")]
    [InlineData("portrange 9-8", 11, "smaller first")]
    [InlineData("(tcp", 5, "expected )")]
    [InlineData("tcp udp", 5, "expected and, or, or the end")]
    [InlineData("reason rain", 8, "no_route")]
    [InlineData("flow 10.1.0.1:1 [::1]:2", 17, "same family")]
    [InlineData("flow 10.1.0.1", 6, "two ends of a flow")]
    [InlineData("net 10.0.0.0", 5, "expected a prefix")]
    [InlineData("((((((((((((((tcp))))))))))))))", 14, "more than 12")]
    public void Filter_ThatIsNone_SaysWhere(string filter, int at, string expected)
    {
        Assert.False(CaptureFilter.TryParse(filter, out _, out string error));
        Assert.StartsWith($"filter, character {at.ToString(CultureInfo.InvariantCulture)}: ", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Filter_OfAnyShape_AnswersAsItsTreeDoes()
    {
        var random = new Random(7);
        for (int round = 0; round < 3000; round++)
        {
            (string text, Func<int, int> tree) = Tree(random, 4);
            var filter = CaptureFilter.Parse(text);
            foreach (byte[] frame in new[] { s_tcp, s_udp6 })
            {
                CaptureFacts facts = Facts(frame);
                Assert.Equal((CaptureAnswer)tree(frame == s_tcp ? 0 : 1), filter.Ask(in facts));
            }
        }
    }

    /// <summary>A random filter, and its answers for both packets: 0 no, 1 unknown, 2 yes.</summary>
    private static (string Text, Func<int, int> Answer) Tree(Random random, int depth)
    {
        (string Text, int First, int Second)[] leaves =
            [("tcp", 2, 0), ("udp", 0, 2), ("port 443", 2, 0), ("host 2001:db8:2::11", 0, 2), ("dropped", 1, 1), ("held", 1, 1), ("icmp", 0, 0), ("inbound", 2, 2)];
        int kind = depth == 0 ? 0 : random.Next(4);
        if (kind == 0)
        {
            (string text, int first, int second) = leaves[random.Next(leaves.Length)];
            return (text, packet => packet == 0 ? first : second);
        }

        (string left, Func<int, int> leftAnswer) = Tree(random, depth - 1);
        if (kind == 1)
        {
            return ($"not ({left})", packet => leftAnswer(packet) switch { 0 => 2, 2 => 0, _ => 1 });
        }

        (string right, Func<int, int> rightAnswer) = Tree(random, depth - 1);
        return kind == 2
            ? ($"({left}) and ({right})", packet => leftAnswer(packet) == 0 || rightAnswer(packet) == 0 ? 0 : leftAnswer(packet) == 2 && rightAnswer(packet) == 2 ? 2 : 1)
            : ($"({left}) or ({right})", packet => leftAnswer(packet) == 2 || rightAnswer(packet) == 2 ? 2 : leftAnswer(packet) == 0 && rightAnswer(packet) == 0 ? 0 : 1);
    }

    private static bool Ask(CaptureFilter filter, byte[] frame, Verdict verdict, DropReason reason)
    {
        CaptureFacts facts = Facts(frame);
        (facts.IsDecided, facts.Verdict, facts.Reason) = (true, verdict, reason);
        return filter.Ask(in facts) == CaptureAnswer.Yes;
    }

    private static CaptureFacts Facts(byte[] frame)
    {
        CaptureFacts facts = default;
        facts.Read(frame);
        facts.Direction = CaptureDirection.Received;
        return facts;
    }
}
