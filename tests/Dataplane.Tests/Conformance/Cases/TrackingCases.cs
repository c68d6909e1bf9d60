using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Cases.Stateful;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>UDP, ICMP queries and everything else under rules that ask for states.</summary>
internal static class TrackingCases
{
    public static ConformanceGroup Group { get; } = new("states", Configure, Add) { Linux = new LinuxRules(Nft) };

    private static void Add(ConformanceGroup group)
    {
        AddUdp(group);
        AddEcho(group);
        AddOthers(group);
        AddFragments(group);
    }

    private static void AddUdp(ConformanceGroup group)
    {
        const string Rfc = "RFC 6092 3.2.3", Rfc4 = "RFC 4787 4.3";
        group.Both("udp-question-and-answer", Rfc4, Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.In(Udp(53, c.Port(), 200));
            c.Out(Udp(c.Port(), 53));
        });
        group.Both("udp-from-outside-is-new", "RFC 4787 5", Rfc, c => c.InDropped(DropReason.FilterDefault, Udp(53, c.Port())));
        group.Both("udp-from-another-port-is-new", "RFC 4787 5", Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.InDropped(DropReason.FilterDefault, Udp(54, c.Port()));
        });
        group.Both("udp-from-another-address-is-new", "RFC 4787 5", Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.Wan(Udp(53, c.Port())(c.FromWan(c.Remote(8), c.Host()))).Dropped(DropReason.FilterDefault);
        });
        group.Both("udp-to-another-host-is-new", "RFC 4787 5", Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.Wan(Udp(53, c.Port())(c.FromWan(c.Client, c.Host(12)))).Dropped(DropReason.FilterDefault);
        });
        group.Both("tcp-does-not-answer-udp", "RFC 4787 5", Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.InDropped(DropReason.FilterRule, Tcp(53, c.Port(), Ack, 1, 1));
        });
        group.Both("udp-without-payload-opens", Rfc4, Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53, 0));
            c.In(Udp(53, c.Port(), 0));
        });
        group.V4("udp-without-checksum-is-followed", "RFC 768", c =>
        {
            c.Out(Udp(c.Port(), 53, 9, checksum: false));
            c.In(Udp(53, c.Port(), 9, checksum: false));
        });
        group.Both("many-answers-to-one-question", Rfc4, Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53));
            for (int answer = 1; answer < 6; answer++)
            {
                c.In(Udp(53, c.Port(), 100 * answer));
            }
        });
        group.Both("udp-lite-is-followed-by-its-addresses", "RFC 3828 3", c =>
        {
            c.Out(Protocol(136));
            c.In(Protocol(136));
        }, linux: "follows UDP-Lite by its ports");
    }

    private static void AddEcho(ConformanceGroup group)
    {
        const string V4 = "RFC 5508 3.2", V6 = "RFC 6092 3.2.1";
        group.Both("echo-request-and-reply", V4, V6, c =>
        {
            c.Out(EchoRequest(c.Port()));
            c.In(EchoReply(c.Port()));
        });
        group.Both("echo-request-from-outside-is-new", V4, V6, c => c.InDropped(DropReason.FilterDefault, EchoRequest(c.Port())));
        group.Both("echo-reply-nobody-asked-for-is-invalid", V4, V6, c => c.InDropped(DropReason.FilterRule, EchoReply(c.Port())));
        group.Both("echo-reply-from-inside-nobody-asked-for-is-invalid", V4, V6, c => c.OutDropped(DropReason.FilterRule, EchoReply(c.Port())));
        group.Both("echo-reply-of-another-identifier-is-invalid", V4, V6, c =>
        {
            c.Out(EchoRequest(c.Port()));
            c.InDropped(DropReason.FilterRule, EchoReply(c.Port(1)));
        });
        group.Both("echo-reply-of-another-host-is-invalid", V4, V6, c =>
        {
            c.Out(EchoRequest(c.Port()));
            c.Wan(EchoReply(c.Port())(c.FromWan(c.Remote(8), c.Host()))).Dropped(DropReason.FilterRule);
        });
        group.Both("echo-replies-of-one-identifier", V4, V6, c =>
        {
            for (ushort sequence = 1; sequence < 5; sequence++)
            {
                c.Out(EchoRequest(c.Port(), sequence));
                c.In(EchoReply(c.Port(), sequence));
            }
        });
        group.V4("timestamp-reply-nobody-asked-for-is-invalid", "RFC 792", c => c.InDropped(DropReason.FilterRule, packet => packet.Icmpv4(new Icmpv4Fields { Type = 14 }).PayloadOf(12)));
        group.V4("timestamp-request-from-outside-is-new", "RFC 792", c => c.InDropped(DropReason.FilterDefault, packet => packet.Icmpv4(new Icmpv4Fields { Type = 13 }).PayloadOf(12)));
        group.V4("mask-reply-nobody-asked-for-is-invalid", "RFC 950", c => c.InDropped(DropReason.FilterRule, packet => packet.Icmpv4(new Icmpv4Fields { Type = 18 }).PayloadOf(4)));
        group.V4("router-advertisement-through-a-router-is-invalid", "RFC 1256 3", c => c.InDropped(DropReason.FilterRule, packet => packet.Icmpv4(new Icmpv4Fields { Type = 9 }).PayloadOf(8)));
        group.V6("listener-report-through-a-router-is-invalid", "RFC 4890 4.3.3", c => c.InDropped(DropReason.FilterRule, packet => packet.Icmpv6(new Icmpv6Fields { Type = 131 }).PayloadOf(16)));
        group.V6("node-information-reply-is-invalid", "RFC 4890 4.3.4", c => c.InDropped(DropReason.FilterRule, packet => packet.Icmpv6(new Icmpv6Fields { Type = 140 }).PayloadOf(16)));
    }

    private static void AddOthers(ConformanceGroup group)
    {
        (string What, byte Protocol)[] protocols = [("l2tp", 115), ("esp", 50), ("experimental", 253)];
        foreach ((string what, byte protocol) in protocols)
        {
            group.Both($"{what}-is-followed-by-its-addresses", "RFC 6092 3.2.2", c =>
            {
                c.Lan(Protocol(protocol, 64)(c.FromLan(c.Host(12), c.Remote(protocol)))).ToWan(Protocol(protocol, 64)(c.AtWan(c.Host(12), c.Remote(protocol))));
                c.Wan(Protocol(protocol, 64)(c.FromWan(c.Remote(protocol), c.Host(12)))).ToLan(Protocol(protocol, 64)(c.AtLan(c.Remote(protocol), c.Host(12))));
            });
            group.Both($"{what}-from-outside-is-new", "RFC 6092 3.2.2", c =>
                c.Wan(Protocol(protocol, 64)(c.FromWan(c.Remote(200), c.Host(13)))).Dropped(DropReason.FilterDefault));
        }

        group.Both("denied-packets-open-nothing", "RFC 6092 3.1", c =>
        {
            c.InDropped(DropReason.FilterDefault, Udp(53, c.Port()));
            c.InDropped(DropReason.FilterDefault, Udp(53, c.Port()));
            c.Out(Udp(c.Port(), 53));
            c.In(Udp(53, c.Port()));
        });
        group.Both("connections-of-two-hosts-do-not-mix", "RFC 6092 3.1", c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.Wan(Udp(53, c.Port())(c.FromWan(c.Client, c.Host(13)))).Dropped(DropReason.FilterDefault);
            c.Lan(Udp(c.Port(), 53)(c.FromLan(c.Host(13), c.Client))).ToWan(Udp(c.Port(), 53)(c.AtWan(c.Host(13), c.Client)));
            c.Wan(Udp(53, c.Port())(c.FromWan(c.Client, c.Host(13)))).ToLan(Udp(53, c.Port())(c.AtLan(c.Client, c.Host(13))));
        });
    }

    private static void AddFragments(ConformanceGroup group)
    {
        group.Both("fragments-of-an-answer-pass-in-order", "RFC 4787 11", "RFC 6092 3.2.3", c =>
        {
            c.Out(Udp(c.Port(), 53));
            foreach ((byte[] came, byte[] left) in Answer(c).Zip(Answer(c, left: true)))
            {
                c.Wan(came).ToLan(left);
            }
        }, linux: "puts fragments together and takes them apart again");
        group.Both("fragments-of-no-answer-are-dropped", "RFC 4787 11", "RFC 6092 3.2.3", c =>
        {
            foreach (byte[] came in Answer(c))
            {
                c.Wan(came).Dropped(DropReason.FilterDefault);
            }
        });
    }

    private static IReadOnlyList<byte[]> Answer(CaseScript c, bool left = false) =>
        c.Fragments(Udp(53, c.Port(), 2500)(left ? c.AtLan(c.Client, c.Host()) : c.FromWan(c.Client, c.Host())), 1024);
}
