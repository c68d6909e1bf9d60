using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Rules that look at packets alone.</summary>
internal static class FilterCases
{
    private const string Tcp4 = "RFC 2979 3.1", Tcp6 = "RFC 6092 3.3.1";

    public static ConformanceGroup Group { get; } = new("filter", Configure, Add)
    {
        Linux = new LinuxRules("""
            iifname "wan" tcp dport 22-23 drop
            iifname "wan" ip daddr 10.1.0.13 drop
            iifname "wan" ip6 daddr 2001:db8:2::13 drop
            ip saddr 203.0.113.128/25 drop
            ip6 saddr 2001:db8:9::8000/113 drop
            tcp flags & (syn | ack) == syn tcp dport 81 drop
            udp sport 19 drop
            meta l4proto 47 drop
            """),
    };

    private static void Configure(DataplaneBuilder builder) => builder.Filter(filter => filter
        .Deny(protocol: 6, toPort: "22-23", port: "wan", name: "no-ssh")
        .Deny(to: "10.1.0.13/32", port: "wan").Deny(to: "2001:db8:2::13/128", port: "wan")
        .Deny(from: "203.0.113.128/25").Deny(from: "2001:db8:9::8000/113")
        .Rule(new FilterRuleSpec
        {
            Action = FilterAction.Deny,
            Protocol = 6,
            ToPort = new PortRange(81, 81),
            TcpFlags = new TcpFlagMatch((byte)(TcpFlags.Syn | TcpFlags.Ack), (byte)TcpFlags.Syn),
        })
        .Deny(protocol: 17, fromPort: "19")
        .Deny(protocol: 47)
        .DefaultAllow());

    private static void Add(ConformanceGroup group)
    {
        foreach ((ushort port, bool isDenied) in new (ushort, bool)[] { (21, false), (22, true), (23, true), (24, false) })
        {
            group.Both($"range-of-ports-22-23-and-port-{port}", Tcp4, Tcp6, c => Judge(c, isDenied, Tcp(c.Port(), port, TcpFlags.Syn)));
        }

        group.Both("rule-of-another-protocol-does-not-match", "RFC 2979 3.1", "RFC 6092 3.2.3", c => Judge(c, false, Udp(c.Port(), 22)));
        group.Both("rule-of-a-port-does-not-match-at-another", Tcp4, Tcp6, c => c.Out(Tcp(c.Port(), 22, TcpFlags.Syn)));
        group.Both("rule-of-a-destination", "RFC 2979 3.1", "RFC 6092 3.1", c => c.Wan(Udp(c.Port(), 53)(c.FromWan(c.Client, c.Of("10.1.0.13", "2001:db8:2::13")))).Dropped(DropReason.FilterRule));
        group.Both("source-in-a-prefix", "RFC 2827 4", c => c.Wan(Udp(c.Port(), 53)(c.FromWan(c.Of("203.0.113.128", "2001:db8:9::8000"), c.Host()))).Dropped(DropReason.FilterRule));
        group.Both("source-just-below-a-prefix", "RFC 2827 4", c =>
            c.Wan(Udp(c.Port(), 53)(c.FromWan(c.Of("203.0.113.127", "2001:db8:9::7fff"), c.Host()))).ToLan(Udp(c.Port(), 53)(c.AtLan(c.Of("203.0.113.127", "2001:db8:9::7fff"), c.Host()))));
        group.Both("last-source-of-a-prefix", "RFC 2827 4", c => c.Wan(Udp(c.Port(), 53)(c.FromWan(c.Of("203.0.113.254", "2001:db8:9::ffff"), c.Host()))).Dropped(DropReason.FilterRule));
        foreach ((string what, TcpFlags flags, bool isDenied) in new[] { ("syn", TcpFlags.Syn, true), ("syn-ack", TcpFlags.Syn | TcpFlags.Ack, false), ("ack", TcpFlags.Ack, false), ("syn-with-ecn", TcpFlags.Syn | TcpFlags.Ece | TcpFlags.Cwr, true) })
        {
            group.Both($"flags-syn-without-ack-and-{what}", "RFC 9293 3.1", c => Judge(c, isDenied, Tcp(c.Port(), 81, flags)));
        }

        group.Both("source-port", "RFC 2979 3.1", "RFC 6092 3.2.3", c => Judge(c, true, Udp(19, c.Port())));
        group.Both("protocol-without-ports", "RFC 2979 3.1", "RFC 6092 3.2.2", c => Judge(c, true, Protocol(47)));
        group.V6("protocol-behind-extension-headers", "RFC 7045 2.1", c => c.InDropped(DropReason.FilterRule, packet => packet.DestinationOptions().Tcp(c.Port(), 22, TcpFlags.Syn)));
        group.V4("ports-behind-options", "RFC 7126 3.1", c =>
            c.Wan(PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Ipv4(new Ipv4Fields { Source = c.Client, Destination = c.Host(), Ttl = 64 }, [1, 1, 1, 0])
                .Tcp(c.Port(), 22, TcpFlags.Syn)).Dropped(DropReason.FilterRule));
        group.Both("later-fragments-are-judged-as-the-first", "RFC 1858 2", "RFC 8200 4.5", c =>
        {
            foreach (byte[] fragment in c.Fragments(Tcp(c.Port(), 22, TcpFlags.Syn, bytes: 200)(c.FromWan(c.Client, c.Host())), 64))
            {
                c.Wan(fragment).Dropped(DropReason.FilterRule);
            }
        }, linux: "has no rule for later fragments where it does not put them together");
        group.Both("later-fragment-waits-for-the-first", "RFC 1858 2", "RFC 8200 4.5", c =>
        {
            IReadOnlyList<byte[]> came = c.Fragments(Tcp(c.Port(), 80, TcpFlags.Syn, bytes: 100)(c.FromWan(c.Client, c.Host())), 64), left = c.Fragments(Tcp(c.Port(), 80, TcpFlags.Syn, bytes: 100)(c.AtLan(c.Client, c.Host())), 64);
            c.Wan(came[1]).Held();
            c.Wan(came[0]).ToLan(left[0], left[1]);
        }, linux: "has no rule for later fragments where it does not put them together");
        group.Both("denied-even-with-ttl-1", "RFC 1812 5.3.9", "RFC 6092 3.1", c => c.Wan(Tcp(c.Port(), 22, TcpFlags.Syn)(c.FromWan(c.Client, c.Host(), 1))).Dropped(DropReason.FilterRule),
            linux: "looks at the TTL before it asks rules of forwarded packets");
    }

    private static void Judge(CaseScript c, bool isDenied, Func<PacketBuilder, PacketBuilder> body)
    {
        if (isDenied)
        {
            c.InDropped(DropReason.FilterRule, body);
        }
        else
        {
            c.In(body);
        }
    }
}
