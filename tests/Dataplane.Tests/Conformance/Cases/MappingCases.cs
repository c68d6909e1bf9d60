using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Ports mapped towards everybody, that let everybody in; and inside hosts that reach each other by them.</summary>
internal static class MappingCases
{
    public static ConformanceGroup Group { get; } = new("mapping", builder => builder.Nat(Rule(NatFiltering.EndpointIndependent)), Add);

    public static NatSpec Rule(NatFiltering filtering) => new() { Inside = "lan", Outside = "wan", Mapping = NatMapping.EndpointIndependent, Filtering = filtering };

    private static void Add(ConformanceGroup group)
    {
        AddMapping(group);
        AddPorts(group);
        AddHairpin(group);
    }

    private static void AddMapping(ConformanceGroup group)
    {
        group.Both("udp-port-is-the-same-towards-everybody", "RFC 4787 4.1", c =>
        {
            ushort outside = c.NatTaken(own => Udp(own, 53), c.Port());
            for (int remote = 1; remote < 4; remote++)
            {
                c.NatOut(Udp(c.Port(), (ushort)(53 + remote)), Udp(outside, (ushort)(53 + remote)), to: c.Remote(remote));
                c.NatIn(Udp((ushort)(53 + remote), outside), Udp((ushort)(53 + remote), c.Port()), from: c.Remote(remote));
            }
        });
        group.Both("tcp-port-is-the-same-towards-everybody", "RFC 5382 4.1", c =>
        {
            ushort outside = c.NatTaken(own => Tcp(own, 80, TcpFlags.Syn, 1), c.Port());
            for (int remote = 1; remote < 4; remote++)
            {
                c.NatOut(Tcp(c.Port(), 81, TcpFlags.Syn, 1), Tcp(outside, 81, TcpFlags.Syn, 1), to: c.Remote(remote));
            }
        });
        group.Both("identifier-is-the-same-towards-everybody", "RFC 5508 3.1", c =>
        {
            ushort outside = c.NatTaken(own => EchoRequest(own), c.Port(), isEcho: true);
            for (int remote = 1; remote < 4; remote++)
            {
                c.NatOut(EchoRequest(c.Port()), EchoRequest(outside), to: c.Remote(remote));
                c.NatIn(EchoReply(outside), EchoReply(c.Port()), from: c.Remote(remote));
            }
        });
        group.Both("second-host-of-one-port-keeps-another-towards-everybody", "RFC 4787 4.1", c =>
        {
            ushort first = c.NatTaken(own => Udp(own, 53), c.Port(), 11), second = c.NatTaken(own => Udp(own, 53), c.Port(), 12);
            Assert.NotEqual(first, second);
            c.NatOut(Udp(c.Port(), 54), Udp(second, 54), 12, c.Remote(3));
            c.NatOut(Udp(c.Port(), 54), Udp(first, 54), 11, c.Remote(3));
        });
        group.Both("udp-from-anybody-is-let-in", "RFC 4787 5", c =>
        {
            ushort outside = c.NatTaken(own => Udp(own, 53), c.Port());
            c.NatIn(Udp(9, outside), Udp(9, c.Port()), from: c.Remote(200));
        });
        group.Both("tcp-from-anybody-is-let-in", "RFC 5382 4.3", c =>
        {
            ushort outside = c.NatTaken(own => Tcp(own, 80, TcpFlags.Syn, 1), c.Port());
            c.NatIn(Tcp(9, outside, TcpFlags.Syn, 7), Tcp(9, c.Port(), TcpFlags.Syn, 7), from: c.Remote(200));
            c.NatOut(Tcp(c.Port(), 9, TcpFlags.Syn | TcpFlags.Ack, 70, 8), Tcp(outside, 9, TcpFlags.Syn | TcpFlags.Ack, 70, 8), to: c.Remote(200));
            c.NatIn(Tcp(9, outside, TcpFlags.Ack, 8, 71, 100), Tcp(9, c.Port(), TcpFlags.Ack, 8, 71, 100), from: c.Remote(200));
        });
        group.Both("mapping-of-udp-is-not-one-of-tcp", "RFC 5382 7", c =>
        {
            ushort outside = c.NatTaken(own => Udp(own, 53), c.Port());
            c.NatRefused(Tcp(9, outside, TcpFlags.Syn, 7), c.Remote(200));
        });
        group.Both("port-without-mapping-is-the-gateways", "RFC 4787 5", c => c.NatRefused(Udp(9, c.Port()), c.Remote(200)));
        group.Both("echo-request-from-outside-is-the-gateways", "RFC 5508 3.1", c =>
        {
            ushort outside = c.NatTaken(own => EchoRequest(own), c.Port(), isEcho: true);
            c.Wan(EchoRequest(outside)(c.FromWan(c.Remote(200), c.Gateway))).ToWan(EchoReply(outside)(c.AtWan(c.Gateway, c.Remote(200), 64)));
        });
        group.V4("udp-checksum-zero-stays-zero-from-outside", "RFC 768", c =>
        {
            ushort outside = c.NatTaken(own => Udp(own, 53), c.Port());
            c.NatIn(Udp(9, outside, 9, checksum: false), Udp(9, c.Port(), 9, checksum: false), from: c.Remote(200));
        });
        group.Both("ttl-1-from-outside-is-answered-by-the-gateway", "RFC 1812 4.3.3.4", "RFC 4443 3.3", c =>
        {
            ushort outside = c.NatTaken(own => Udp(own, 53), c.Port());
            byte[] frame = Udp(9, outside)(c.FromWan(c.Remote(200), c.Gateway, 1)).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
    }

    private static void AddPorts(ConformanceGroup group)
    {
        group.Both("port-is-kept-where-it-is-free", "RFC 4787 4.2.1", c => Assert.Equal(c.Port(), c.NatTaken(own => Udp(own, 53), c.Port())));
        group.Both("pair-of-ports-stays-a-pair", "RFC 4787 4.2.3", c =>
        {
            c.NatTaken(own => Udp(own, 53), c.Port(), 11);
            ushort even = c.NatTaken(own => Udp(own, 53), c.Port(), 12), odd = c.NatTaken(own => Udp(own, 53), c.Port(1), 12);
            Assert.True(even != c.Port() && (even & 1) == 0 && odd == even + 1, $"{even} and {odd}");
        });
        group.Both("pair-of-ports-begun-with-the-odd-one", "RFC 4787 4.2.3", c =>
        {
            c.NatTaken(own => Udp(own, 53), c.Port(1), 11);
            ushort odd = c.NatTaken(own => Udp(own, 53), c.Port(1), 12), even = c.NatTaken(own => Udp(own, 53), c.Port(), 12);
            Assert.True((odd & 1) == 1 && even == odd - 1, $"{even} and {odd}");
        });
        foreach (ushort port in new ushort[] { 700, 701 })
        {
            group.Both($"taken-{((port & 1) == 0 ? "even" : "odd")}-system-port-gives-another", "RFC 4787 4.2.2", c =>
            {
                c.NatTaken(own => Udp(own, 53), port, 11);
                ushort taken = c.NatTaken(own => Udp(own, 53), port, 12);
                Assert.True(taken != port && taken is > 0 and < 1024 && (taken & 1) == (port & 1), $"{taken} for {port}");
            });
        }
    }

    private static void AddHairpin(ConformanceGroup group)
    {
        const string Rfc = "RFC 4787 6";
        group.Both("hairpin-udp-shows-the-outside-ends", Rfc, c =>
        {
            ushort b = Mapped(c, 12, 1), a = Mapped(c, 11, 0);
            Hairpin(c, 11, Udp(c.Port(), b), 12, Udp(a, c.Port(1)));
            Hairpin(c, 12, Udp(c.Port(1), a), 11, Udp(b, c.Port()));
        });
        group.Both("hairpin-makes-the-senders-mapping", Rfc, c =>
        {
            ushort b = Mapped(c, 12, 1);
            byte[] left = c.Lan(Udp(c.Port(), b)(c.FromLan(c.Host(), c.Gateway))).Left("lan");
            ushort a = c.SourcePort(left);
            c.Same(Udp(a, c.Port(1))(c.AtLan(c.Gateway, c.Host(12))), left);
            c.NatOut(Udp(c.Port(), 53), Udp(a, 53), 11, c.Remote(4));
        });
        group.Both("hairpin-tcp", "RFC 5382 7.2", c =>
        {
            c.NatTaken(own => Tcp(own, 80, TcpFlags.Syn, 1), c.Port(1), 12);
            Hairpin(c, 11, Tcp(c.Port(), c.Port(1), TcpFlags.Syn, 100), 12, Tcp(c.Port(), c.Port(1), TcpFlags.Syn, 100));
            Hairpin(c, 12, Tcp(c.Port(1), c.Port(), TcpFlags.Syn | TcpFlags.Ack, 500, 101), 11, Tcp(c.Port(1), c.Port(), TcpFlags.Syn | TcpFlags.Ack, 500, 101));
            Hairpin(c, 11, Tcp(c.Port(), c.Port(1), TcpFlags.Ack, 101, 501, 99), 12, Tcp(c.Port(), c.Port(1), TcpFlags.Ack, 101, 501, 99));
        });
        group.V4("hairpin-keeps-udp-checksum-zero", "RFC 768", c =>
        {
            ushort b = Mapped(c, 12, 1), a = Mapped(c, 11, 0);
            Hairpin(c, 11, Udp(c.Port(), b, 9, checksum: false), 12, Udp(a, c.Port(1), 9, checksum: false));
        });
        group.Both("hairpin-to-itself", Rfc, c =>
        {
            ushort a = Mapped(c, 11, 0), b = Mapped(c, 11, 1);
            Hairpin(c, 11, Udp(c.Port(), b), 11, Udp(a, c.Port(1)));
        });
        group.Both("hairpin-with-ttl-1-is-answered", "RFC 1812 4.3.3.4", "RFC 4443 3.3", c =>
        {
            ushort b = Mapped(c, 12, 1);
            byte[] frame = Udp(c.Port(), b)(c.FromLan(c.Host(), c.Gateway, 1)).Build();
            c.Lan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToLan(IcmpError.TimeExceeded, frame));
        });
        group.Both("hairpin-to-no-mapping-is-the-gateways", Rfc, c =>
        {
            byte[] frame = Udp(c.Port(), c.Port(9))(c.FromLan(c.Host(), c.Gateway)).Build();
            c.Lan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToLan(IcmpError.PortUnreachable, frame));
        });
        group.Both("hairpin-error-comes-back-to-the-sender", "RFC 5508 5", c =>
        {
            ushort b = Mapped(c, 12, 1), a = Mapped(c, 11, 0);
            Hairpin(c, 11, Udp(c.Port(), b), 12, Udp(a, c.Port(1)));
            byte[] arrived = Udp(a, c.Port(1))(c.AtLan(c.Gateway, c.Host(12))).Build(), sent = Udp(c.Port(), b)(c.FromLan(c.Host(), c.Gateway, 63)).Build();
            c.Lan(c.Error(c.FromLan(c.Host(12), c.Gateway), IcmpError.PortUnreachable, arrived)).ToLan(c.Error(c.AtLan(c.Gateway, c.Host()), IcmpError.PortUnreachable, sent));
        });
    }

    private static ushort Mapped(CaseScript c, int host, int number) => c.NatTaken(own => Udp(own, 53), c.Port(number), host);

    private static void Hairpin(CaseScript c, int from, Func<PacketBuilder, PacketBuilder> body, int to, Func<PacketBuilder, PacketBuilder> arrives) =>
        c.Lan(body(c.FromLan(c.Host(from), c.Gateway))).ToLan(arrives(c.AtLan(c.Gateway, c.Host(to))));
}
