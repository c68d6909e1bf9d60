using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>ICMP errors about translated packets: translated as those were, outside and in what they quote.</summary>
internal static class NatErrorCases
{
    private const string Rfc = "RFC 5508 4.2.1";

    public static ConformanceGroup Group { get; } = new("nat-errors", builder => builder.Nat("lan", "wan"), Add) { Linux = new LinuxRules(IsMasquerade: true) };

    private static void Add(ConformanceGroup group)
    {
        AddFromOutside(group);
        AddFromInside(group);
        AddQuotes(group);
    }

    private static void AddFromOutside(ConformanceGroup group)
    {
        (string What, IcmpError Error, uint Word)[] errors =
        [
            ("no-route", IcmpError.NoRoute, 0), ("host-unreachable", IcmpError.HostUnreachable, 0), ("port-unreachable", IcmpError.PortUnreachable, 0), ("too-big", IcmpError.TooBig, 1300),
            ("prohibited", IcmpError.Prohibited, 0), ("time-exceeded", IcmpError.TimeExceeded, 0), ("reassembly-time-exceeded", IcmpError.ReassemblyTimeExceeded, 0),
            ("parameter-problem", IcmpError.ParameterProblem, 0),
        ];
        foreach ((string what, IcmpError error, uint word) in errors)
        {
            group.Both($"{what}-about-udp", Rfc, c =>
            {
                c.NatOut(Udp(c.Port(), 53));
                Returns(c, error, Udp(c.Port(), 53), Udp(c.Port(), 53), 11, word);
            });
        }

        group.Both("about-tcp", Rfc, c =>
        {
            c.NatOut(Tcp(c.Port(), 80, TcpFlags.Syn, 1));
            Returns(c, IcmpError.TooBig, Tcp(c.Port(), 80, TcpFlags.Syn, 1), Tcp(c.Port(), 80, TcpFlags.Syn, 1), 11, 1300);
        });
        group.Both("about-echo", Rfc, c =>
        {
            c.NatOut(EchoRequest(c.Port()));
            Returns(c, IcmpError.TimeExceeded, EchoRequest(c.Port()), EchoRequest(c.Port()), 11);
        });
        group.Both("about-udp-with-another-port", Rfc, c =>
        {
            c.NatOut(Udp(c.Port(), 53), 11);
            ushort taken = c.NatTaken(own => Udp(own, 53), c.Port(), 12);
            Returns(c, IcmpError.TimeExceeded, Udp(taken, 53), Udp(c.Port(), 53), 12);
            Returns(c, IcmpError.TimeExceeded, Udp(c.Port(), 53), Udp(c.Port(), 53), 11);
        });
        group.Both("about-tcp-with-another-port", Rfc, c =>
        {
            c.NatOut(Tcp(c.Port(), 80, TcpFlags.Syn, 1), 11);
            ushort taken = c.NatTaken(own => Tcp(own, 80, TcpFlags.Syn, 2), c.Port(), 12);
            Returns(c, IcmpError.HostUnreachable, Tcp(taken, 80, TcpFlags.Syn, 2), Tcp(c.Port(), 80, TcpFlags.Syn, 2), 12);
        });
        group.Both("about-echo-with-another-identifier", Rfc, c =>
        {
            c.NatOut(EchoRequest(c.Port()), 11);
            ushort taken = c.NatTaken(own => EchoRequest(own), c.Port(), 12, isEcho: true);
            Returns(c, IcmpError.TimeExceeded, EchoRequest(taken), EchoRequest(c.Port()), 12);
        });
        group.Both("of-the-destination-itself", Rfc, c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            byte[] outside = Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Client)).Build(), inside = Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Client, 63)).Build();
            c.Wan(c.Error(c.FromWan(c.Client, c.Gateway), IcmpError.PortUnreachable, outside)).ToLan(c.Error(c.AtLan(c.Client, c.Host()), IcmpError.PortUnreachable, inside));
        });
        group.Both("about-nothing-is-the-gateways", "RFC 5508 4.1", c =>
        {
            byte[] about = Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Client)).Build();
            c.Wan(c.Error(c.FromWan(c.Remote(7), c.Gateway), IcmpError.TimeExceeded, about)).Dropped(DropReason.ConsumedIcmp);
        });
        group.Both("with-a-wrong-checksum-is-dropped", "RFC 5508 4.1", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            byte[] error = c.Error(c.FromWan(c.Remote(7), c.Gateway), IcmpError.TimeExceeded, Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Client)).Build()).Build();
            error[^1] ^= 1;
            c.Wan(error).Dropped(DropReason.IcmpInvalid);
        });
        group.Both("does-not-end-the-flow", "RFC 5508 4.3", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            Returns(c, IcmpError.PortUnreachable, Udp(c.Port(), 53), Udp(c.Port(), 53), 11);
            c.NatIn(Udp(53, c.Port()));
        });
    }

    private static void AddFromInside(ConformanceGroup group)
    {
        group.Both("host-refuses-an-answer", "RFC 5508 4.2.2", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.NatIn(Udp(53, c.Port()));
            Leaves(c, c.Host());
        });
        group.Both("router-inside-does-not-show-its-address", "RFC 5508 4.2.2", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.NatIn(Udp(53, c.Port()));
            Leaves(c, c.Host(13));
        });
        group.Both("host-refuses-an-answer-at-another-port", "RFC 5508 4.2.2", c =>
        {
            c.NatOut(Udp(c.Port(), 53), 11);
            ushort taken = c.NatTaken(own => Udp(own, 53), c.Port(), 12);
            c.NatIn(Udp(53, taken), Udp(53, c.Port()), 12);
            byte[] arrived = Udp(53, c.Port())(c.AtLan(c.Client, c.Host(12))).Build(), sent = Udp(53, taken)(c.FromWan(c.Client, c.Gateway, 63)).Build();
            c.Lan(c.Error(c.FromLan(c.Host(12), c.Client), IcmpError.PortUnreachable, arrived)).ToWan(c.Error(c.AtWan(c.Gateway, c.Client), IcmpError.PortUnreachable, sent));
        });
        group.Both("error-of-a-host-about-nothing-does-not-leave", "RFC 5508 4.2.2", c =>
        {
            byte[] about = Udp(53, c.Port())(c.AtLan(c.Client, c.Host())).Build();
            c.Lan(c.Error(c.FromLan(c.Host(), c.Client), IcmpError.PortUnreachable, about)).Dropped(DropReason.NatUnsupported);
        }, linux: "lets errors about nothing known out untranslated");
    }

    private static void AddQuotes(ConformanceGroup group)
    {
        group.Both("quotes-only-eight-bytes-behind-the-header", "RFC 792", "RFC 4443 2.4", c =>
        {
            c.NatOut(Udp(c.Port(), 53, 100));
            byte[] outside = Udp(c.Port(), 53, 100)(c.AtWan(c.Gateway, c.Client)).Build(), inside = Udp(c.Port(), 53, 100)(c.FromLan(c.Host(), c.Client, 63)).Build();
            int end = c.TransportAt + 8;
            c.Wan(c.Error(c.FromWan(c.Remote(7), c.Gateway), IcmpError.TimeExceeded, outside[..end])).ToLan(c.Error(c.AtLan(c.Remote(7), c.Host()), IcmpError.TimeExceeded, inside[..end]));
        });
        group.V4("quotes-a-datagram-without-checksum", "RFC 768", c =>
        {
            c.NatOut(Udp(c.Port(), 53, 9, checksum: false));
            Returns(c, IcmpError.TimeExceeded, Udp(c.Port(), 53, 9, checksum: false), Udp(c.Port(), 53, 9, checksum: false), 11);
        });
        group.V4("quotes-a-packet-with-ttl-0-as-the-router-saw-it", "RFC 792", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            byte[] outside = Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Client, 1)).Build(), inside = Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Client, 1)).Build();
            c.Wan(c.Error(c.FromWan(c.Remote(7), c.Gateway), IcmpError.TimeExceeded, outside)).ToLan(c.Error(c.AtLan(c.Remote(7), c.Host()), IcmpError.TimeExceeded, inside));
        });
        group.Both("quotes-less-than-ports", "RFC 1122 3.2.2", "RFC 4443 2.4", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            byte[] about = Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Client)).Build()[..(c.TransportAt + 2)];
            c.Wan(c.Error(c.FromWan(c.Remote(7), c.Gateway), IcmpError.TimeExceeded, about)).Dropped(DropReason.ConsumedIcmp);
        });
    }

    private static void Returns(CaseScript c, IcmpError error, Func<PacketBuilder, PacketBuilder> leftAs, Func<PacketBuilder, PacketBuilder> sentAs, int host, uint rest = 0)
    {
        byte[] outside = leftAs(c.AtWan(c.Gateway, c.Client)).Build(), inside = sentAs(c.FromLan(c.Host(host), c.Client, 63)).Build();
        c.Wan(c.Error(c.FromWan(c.Remote(7), c.Gateway), error, outside, rest)).ToLan(c.Error(c.AtLan(c.Remote(7), c.Host(host)), error, inside, rest));
    }

    private static void Leaves(CaseScript c, IpAddress from)
    {
        byte[] arrived = Udp(53, c.Port())(c.AtLan(c.Client, c.Host())).Build(), sent = Udp(53, c.Port())(c.FromWan(c.Client, c.Gateway, 63)).Build();
        c.Lan(c.Error(c.FromLan(from, c.Client), IcmpError.PortUnreachable, arrived)).ToWan(c.Error(c.AtWan(c.Gateway, c.Client), IcmpError.PortUnreachable, sent));
    }
}
