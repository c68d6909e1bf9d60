using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Cases.Stateful;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>ICMP errors under rules that ask for states: related to what they quote, or invalid.</summary>
internal static class RelatedCases
{
    private static readonly (string What, IcmpError Error, string Rfc4, string Rfc6)[] s_errors =
    [
        ("no-route", IcmpError.NoRoute, "RFC 792", "RFC 4443 3.1"), ("host-unreachable", IcmpError.HostUnreachable, "RFC 792", "RFC 4443 3.1"),
        ("port-unreachable", IcmpError.PortUnreachable, "RFC 792", "RFC 4443 3.1"), ("prohibited", IcmpError.Prohibited, "RFC 1812 5.2.7.1", "RFC 4443 3.1"),
        ("too-big", IcmpError.TooBig, "RFC 1191 4", "RFC 8201 4"), ("time-exceeded", IcmpError.TimeExceeded, "RFC 792", "RFC 4443 3.3"),
        ("reassembly-time-exceeded", IcmpError.ReassemblyTimeExceeded, "RFC 792", "RFC 4443 3.3"), ("parameter-problem", IcmpError.ParameterProblem, "RFC 792", "RFC 4443 3.4"),
    ];

    public static ConformanceGroup Group { get; } = new("related", Configure, Add) { Linux = new LinuxRules(Nft) };

    private static void Add(ConformanceGroup group)
    {
        foreach ((string what, IcmpError error, string rfc4, string rfc6) in s_errors)
        {
            group.Both($"{what}-about-a-flow", rfc4, rfc6, c =>
            {
                c.Out(Udp(c.Port(), 53));
                Passes(c, error, Sent(c, Udp(c.Port(), 53)), c.Host());
            });
            group.Both($"{what}-about-nothing", rfc4, rfc6, c => Invalid(c, error, Sent(c, Udp(c.Port(), 53)), c.Host()));
        }

        AddWho(group);
        AddTcp(group);
        AddDamage(group);
    }

    private static void AddWho(ConformanceGroup group)
    {
        const string Rfc = "RFC 5927 4";
        group.Both("of-the-destination-itself", "RFC 792", "RFC 4443 3.1", c =>
        {
            c.Out(Udp(c.Port(), 53));
            byte[] about = Sent(c, Udp(c.Port(), 53));
            c.Wan(c.Error(c.FromWan(c.Client, c.Host()), IcmpError.PortUnreachable, about)).ToLan(c.Error(c.AtLan(c.Client, c.Host()), IcmpError.PortUnreachable, about));
        });
        group.Both("to-another-host-than-the-sender", Rfc, c =>
        {
            c.Out(Udp(c.Port(), 53));
            Invalid(c, IcmpError.PortUnreachable, Sent(c, Udp(c.Port(), 53)), c.Host(12));
        });
        group.Both("about-the-answer-of-the-client", "RFC 792", "RFC 4443 3.1", c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.In(Udp(53, c.Port()));
            byte[] about = Udp(53, c.Port())(c.AtLan(c.Client, c.Host())).Build();
            c.Lan(c.Error(c.FromLan(c.Host(), c.Client), IcmpError.PortUnreachable, about)).ToWan(c.Error(c.AtWan(c.Host(), c.Client), IcmpError.PortUnreachable, about));
        });
        group.Both("about-an-echo", "RFC 5508 4.1", "RFC 4890 4.3.1", c =>
        {
            c.Out(EchoRequest(c.Port()));
            Passes(c, IcmpError.TimeExceeded, Sent(c, EchoRequest(c.Port())), c.Host());
        });
        group.Both("about-an-echo-of-another-identifier", "RFC 5508 4.1", "RFC 4890 4.3.1", c =>
        {
            c.Out(EchoRequest(c.Port()));
            Invalid(c, IcmpError.TimeExceeded, Sent(c, EchoRequest(c.Port(1))), c.Host());
        });
        group.Both("about-a-protocol-without-ports", "RFC 792", "RFC 4443 3.3", c =>
        {
            c.Lan(Protocol(115)(c.FromLan(c.Host(), c.Remote(115)))).ToWan(Protocol(115)(c.AtWan(c.Host(), c.Remote(115))));
            Passes(c, IcmpError.TimeExceeded, Protocol(115)(c.AtWan(c.Host(), c.Remote(115))).Build(), c.Host());
        });
        group.Both("quotes-only-eight-bytes-behind-the-header", "RFC 792", "RFC 4443 2.4", c =>
        {
            c.Out(Udp(c.Port(), 53, 100));
            Passes(c, IcmpError.TimeExceeded, Sent(c, Udp(c.Port(), 53, 100))[..(c.TransportAt + 8)], c.Host());
        });
        group.Both("does-not-answer-for-the-flow", "RFC 6092 3.1", c =>
        {
            c.Out(Udp(c.Port(), 53));
            Passes(c, IcmpError.TimeExceeded, Sent(c, Udp(c.Port(), 53)), c.Host());
            c.Wan(Udp(54, c.Port())(c.FromWan(c.Remote(9), c.Host()))).Dropped(DropReason.FilterDefault);
            c.In(Udp(53, c.Port()));
        });
    }

    private static void AddTcp(ConformanceGroup group)
    {
        const string Rfc = "RFC 5927 4.1", Linux = "does not look at sequence numbers of quoted segments";
        group.Both("tcp-segment-on-its-way", Rfc, c =>
        {
            c.Open();
            Passes(c, IcmpError.TimeExceeded, Sent(c, Tcp(c.Port(), 443, Ack, 101, 501)), c.Host());
        });
        group.Both("tcp-segment-never-sent", Rfc, c =>
        {
            c.Open();
            Invalid(c, IcmpError.TimeExceeded, Sent(c, Tcp(c.Port(), 443, Ack, 102, 501)), c.Host());
        }, linux: Linux);
        group.Both("tcp-segment-acknowledged-long-ago", Rfc, c =>
        {
            c.Open();
            Invalid(c, IcmpError.TimeExceeded, Sent(c, Tcp(c.Port(), 443, Ack, unchecked(101u - 66_001), 501)), c.Host());
        }, linux: Linux);
        group.Both("tcp-syn-that-was-not-answered", Rfc, c =>
        {
            c.Out(Syn, 100, 0);
            Passes(c, IcmpError.HostUnreachable, Sent(c, Tcp(c.Port(), 443, Syn, 100)), c.Host());
        });
        group.Both("hard-error-does-not-end-a-connection", "RFC 5461 4.1", "RFC 5927 5.2", c =>
        {
            c.Open();
            Passes(c, IcmpError.PortUnreachable, Sent(c, Tcp(c.Port(), 443, Ack, 101, 501)), c.Host());
            c.In(Ack, 501, 101, 10);
            c.Out(Ack, 101, 511, 10);
        });
    }

    private static void AddDamage(ConformanceGroup group)
    {
        group.Both("quotes-less-than-a-header", "RFC 1122 3.2.2", "RFC 4443 2.4", c =>
        {
            c.Out(Udp(c.Port(), 53));
            Invalid(c, IcmpError.TimeExceeded, Sent(c, Udp(c.Port(), 53))[..30], c.Host());
        });
        group.Both("quotes-nothing-behind-the-header", "RFC 1122 3.2.2", "RFC 4443 2.4", c =>
        {
            c.Out(Udp(c.Port(), 53));
            Invalid(c, IcmpError.TimeExceeded, Sent(c, Udp(c.Port(), 53))[..c.TransportAt], c.Host());
        });
        group.Both("quotes-a-packet-of-another-version", "RFC 1122 3.2.2", "RFC 4443 2.4", c =>
        {
            c.Out(Udp(c.Port(), 53));
            byte[] about = Sent(c, Udp(c.Port(), 53));
            about[14] = (byte)(c.IsV4 ? 0x60 : 0x45);
            Invalid(c, IcmpError.TimeExceeded, about, c.Host());
        }, linux: "does not look at the version of a packet that is quoted over IPv6");
        group.Both("quotes-an-error", "RFC 1122 3.2.2", "RFC 4443 2.4", c =>
        {
            c.Out(Udp(c.Port(), 53));
            byte[] inner = c.Error(c.AtWan(c.Host(), c.Client), IcmpError.TimeExceeded, Sent(c, Udp(c.Port(), 53))).Build();
            Invalid(c, IcmpError.TimeExceeded, inner, c.Host());
        });
        group.V4("redirect-about-a-flow-is-no-error-of-it", "RFC 1812 5.2.7.2", c =>
        {
            c.Out(Udp(c.Port(), 53));
            byte[] about = Sent(c, Udp(c.Port(), 53));
            c.Wan(c.FromWan(c.Remote(7), c.Host()).Icmpv4(Icmpv4Fields.Redirect(1, c.Remote(99))).Payload(about.AsSpan(14))).Dropped(DropReason.FilterRule);
        }, linux: "takes redirects through it for related");
    }

    private static byte[] Sent(CaseScript c, Func<PacketBuilder, PacketBuilder> body) => body(c.AtWan(c.Host(), c.Client)).Build();

    /// <summary>A router far away says it, and it passes.</summary>
    private static void Passes(CaseScript c, IcmpError error, byte[] about, IpAddress to) =>
        c.Wan(c.Error(c.FromWan(c.Remote(7), to), error, about, 1300)).ToLan(c.Error(c.AtLan(c.Remote(7), to), error, about, 1300));

    private static void Invalid(CaseScript c, IcmpError error, byte[] about, IpAddress to) =>
        c.Wan(c.Error(c.FromWan(c.Remote(7), to), error, about, 1300)).Dropped(DropReason.FilterRule);
}
