using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Services whose destination is translated; and such as have nobody to serve them.</summary>
internal static class ServiceCases
{
    private const string Lsnat4 = "RFC 2391 3.1", Lsnat6 = "RFC 2391 3.1";

    public static ConformanceGroup Group { get; } = new("service-nat", Configure, Add);

    private static void Configure(DataplaneBuilder builder)
    {
        foreach ((string family, string address, string prefix) in new[] { ("4", "192.0.2.80", "10.1.0."), ("6", "2001:db8:80::80", "2001:db8:2::") })
        {
            builder.Service($"tcp{family}", address, 80, service => service.Tcp().RoundRobin().Backend(prefix + "11", 8080))
                .Service($"udp{family}", address, 80, service => service.Udp().RoundRobin().Backend(prefix + "11", 8080))
                .Service($"other{family}", address, 81, service => service.Udp().RoundRobin().Backend(prefix + "11", 8080))
                .Service($"range{family}", address, 9000, service => service.Ports(9000, 9009).Udp().RoundRobin().BackendAtSamePort(prefix + "12"))
                .Service($"drop-tcp{family}", address, 90, service => service.Tcp()).Service($"drop-udp{family}", address, 90, service => service.Udp())
                .Service($"reject-tcp{family}", address, 91, service => service.Tcp().NoBackend(NoBackendPolicy.Reject))
                .Service($"reject-udp{family}", address, 91, service => service.Udp().NoBackend(NoBackendPolicy.Reject))
                .Service($"drained{family}", address, 92, service => service.Udp().Backend(prefix + "11", 8080, weight: 0));
        }
    }

    private static void Add(ConformanceGroup group)
    {
        AddPackets(group);
        AddPorts(group);
        AddErrors(group);
        AddFragments(group);
        AddNobody(group);
    }

    private static void AddPackets(ConformanceGroup group)
    {
        group.Both("udp-both-ways", Lsnat4, Lsnat6, c =>
        {
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080));
            From(c, Udp(8080, c.Port()), Udp(80, c.Port()));
        });
        group.Both("tcp-connection-both-ways", Lsnat4, Lsnat6, c =>
        {
            uint sequence = 0xFFFF_FF00;
            foreach ((bool isTo, TcpFlags flags, int bytes) in new[]
            {
                (true, TcpFlags.Syn, 0), (false, TcpFlags.Syn | TcpFlags.Ack, 0), (true, TcpFlags.Ack, 0), (true, TcpFlags.Ack | TcpFlags.Psh, 333), (false, TcpFlags.Ack, 1400),
                (true, TcpFlags.Ack | TcpFlags.Fin, 0), (false, TcpFlags.Ack | TcpFlags.Fin, 1), (true, TcpFlags.Rst, 0),
            })
            {
                sequence += 997;
                if (isTo)
                {
                    To(c, Tcp(c.Port(), 80, flags, sequence, 5, bytes), Tcp(c.Port(), 8080, flags, sequence, 5, bytes));
                }
                else
                {
                    From(c, Tcp(8080, c.Port(), flags, sequence, 5, bytes), Tcp(80, c.Port(), flags, sequence, 5, bytes));
                }
            }
        });
        group.V4("udp-checksum-zero-stays-zero", "RFC 768", c =>
        {
            To(c, Udp(c.Port(), 80, 9, checksum: false), Udp(c.Port(), 8080, 9, checksum: false));
            From(c, Udp(8080, c.Port(), 9, checksum: false), Udp(80, c.Port(), 9, checksum: false));
        });
        group.Both("udp-checksum-that-becomes-zero-is-sent-as-ones", "RFC 768", "RFC 8200 8.1", c =>
        {
            Func<PacketBuilder, PacketBuilder> Of(ushort port, byte[] payload) => packet => packet.Udp(c.Port(), port).Payload(payload);
            byte[] leaves = Of(8080, [0, 0])(c.AtLan(c.Client, c.Host())).Build();
            byte[] payload = [leaves[c.TransportAt + 6], leaves[c.TransportAt + 7]];
            To(c, Of(80, payload), Of(8080, payload));
        });
        group.Both("ttl-1-is-answered-about-the-clients-packet", "RFC 1812 4.3.3.4", "RFC 4443 3.3", c =>
        {
            byte[] frame = Udp(c.Port(), 80)(c.FromWan(c.Client, c.Service, 1)).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
        group.Both("client-beyond-a-router", Lsnat4, Lsnat6, c =>
            c.Wan(Udp(c.Port(), 80)(c.FromWan(c.Remote(5), c.Service))).ToLan(Udp(c.Port(), 8080)(c.AtLan(c.Remote(5), c.Host()))));
        group.Both("backend-reached-directly-is-not-translated", "RFC 2391 3.1", c =>
        {
            c.In(Udp(c.Port(), 8081));
            c.Out(Udp(8081, c.Port()));
        });
    }

    private static void AddPorts(ConformanceGroup group)
    {
        group.Both("two-services-of-one-backend-are-told-apart", "RFC 2391 3.2", c =>
        {
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080));
            byte[] left = c.Wan(Udp(c.Port(), 81)(c.FromWan(c.Client, c.Service))).Left("lan");
            ushort taken = c.SourcePort(left);
            Assert.True(taken != c.Port() && taken >= 1024);
            c.Same(Udp(taken, 8080)(c.AtLan(c.Client, c.Host())), left);
            From(c, Udp(8080, taken), Udp(81, c.Port()));
            From(c, Udp(8080, c.Port()), Udp(80, c.Port()));
        });
        foreach ((string what, ushort port) in new (string, ushort)[] { ("first", 9000), ("last", 9009) })
        {
            group.Both($"{what}-port-of-a-range", "RFC 2391 3.1", c =>
            {
                c.Wan(Udp(c.Port(), port)(c.FromWan(c.Client, c.Service))).ToLan(Udp(c.Port(), port)(c.AtLan(c.Client, c.Host(12))));
                c.Lan(Udp(port, c.Port())(c.FromLan(c.Host(12), c.Client))).ToWan(Udp(port, c.Port())(c.AtWan(c.Service, c.Client)));
            });
        }

        group.Both("port-behind-a-range-is-refused", "RFC 1122 3.2.2.1", "RFC 4443 3.1", c => Refused(c, Udp(c.Port(), 9010)));
        group.Both("other-port-of-the-address-is-refused", "RFC 1122 3.2.2.1", "RFC 4443 3.1", c => Refused(c, Tcp(c.Port(), 443, TcpFlags.Syn)));
        group.Both("other-protocol-of-the-address-is-refused", "RFC 1122 3.2.2.1", "RFC 4443 3.1", c => Refused(c, Tcp(c.Port(), 81, TcpFlags.Syn)));
        group.Both("echo-to-the-address-is-answered", "RFC 1122 3.2.2.6", "RFC 4443 4.2", c =>
            c.Wan(EchoRequest(c.Port())(c.FromWan(c.Client, c.Service))).ToWan(EchoReply(c.Port())(c.AtWan(c.Service, c.Client, 64))));
    }

    private static void AddErrors(ConformanceGroup group)
    {
        foreach ((string what, IcmpError error, uint rest) in new[] { ("port-unreachable", IcmpError.PortUnreachable, 0u), ("too-big", IcmpError.TooBig, 1300u), ("time-exceeded", IcmpError.TimeExceeded, 0u) })
        {
            group.Both($"{what}-of-the-backend-comes-from-the-service", "RFC 5508 4.2.2", c =>
            {
                To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080));
                byte[] arrived = Udp(c.Port(), 8080)(c.AtLan(c.Client, c.Host())).Build(), sent = Udp(c.Port(), 80)(c.FromWan(c.Client, c.Service, 63)).Build();
                c.Lan(c.Error(c.FromLan(c.Host(), c.Client), error, arrived, rest)).ToWan(c.Error(c.AtWan(c.Service, c.Client), error, sent, rest));
            });
            group.Both($"{what}-about-an-answer-comes-to-the-backend", "RFC 5508 4.2.1", c =>
            {
                To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080));
                From(c, Udp(8080, c.Port()), Udp(80, c.Port()));
                byte[] outside = Udp(80, c.Port())(c.AtWan(c.Service, c.Client)).Build(), inside = Udp(8080, c.Port())(c.FromLan(c.Host(), c.Client, 63)).Build();
                c.Wan(c.Error(c.FromWan(c.Remote(7), c.Service), error, outside, rest)).ToLan(c.Error(c.AtLan(c.Remote(7), c.Host()), error, inside, rest));
            });
        }

        group.Both("router-inside-keeps-its-address", "RFC 5508 4.2.2", c =>
        {
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080));
            byte[] arrived = Udp(c.Port(), 8080)(c.AtLan(c.Client, c.Host())).Build(), sent = Udp(c.Port(), 80)(c.FromWan(c.Client, c.Service, 63)).Build();
            c.Lan(c.Error(c.FromLan(c.Host(13), c.Client), IcmpError.HostUnreachable, arrived)).ToWan(c.Error(c.AtWan(c.Host(13), c.Client), IcmpError.HostUnreachable, sent));
        });
    }

    private static void AddFragments(ConformanceGroup group) => group.Both("fragments-reach-the-backend-of-the-first", "RFC 4787 11", "RFC 8200 4.5", c =>
    {
        IReadOnlyList<byte[]> came = c.Fragments(Udp(c.Port(), 80, 2500)(c.FromWan(c.Client, c.Service)), 1024), left = c.Fragments(Udp(c.Port(), 8080, 2500)(c.AtLan(c.Client, c.Host())), 1024);
        c.Wan(came[1]).Held();
        c.Wan(came[2]).Held();
        c.Wan(came[0]).ToLan(left[0], left[1], left[2]);
    });

    private static void AddNobody(ConformanceGroup group)
    {
        group.Both("no-backend-drop-udp", "RFC 2391 3.1", c => c.Wan(Udp(c.Port(), 90)(c.FromWan(c.Client, c.Service))).Dropped(DropReason.NoBackend));
        group.Both("no-backend-drop-tcp", "RFC 2391 3.1", c => c.Wan(Tcp(c.Port(), 90, TcpFlags.Syn, 7)(c.FromWan(c.Client, c.Service))).Dropped(DropReason.NoBackend));
        group.Both("no-backend-reject-udp", "RFC 1122 3.2.2.1", "RFC 4443 3.1", c =>
        {
            byte[] frame = Udp(c.Port(), 91)(c.FromWan(c.Client, c.Service)).Build();
            c.Wan(frame).Refused(DropReason.NoBackend, c.OwnErrorToWan(IcmpError.PortUnreachable, frame));
        });
        group.Both("no-backend-reject-tcp-syn", "RFC 9293 3.5.2", c => Reset(c, Tcp(c.Port(), 91, TcpFlags.Syn, 7), TcpFlags.Rst | TcpFlags.Ack, 0, 8));
        group.Both("no-backend-reject-tcp-syn-with-data", "RFC 9293 3.5.2", c => Reset(c, Tcp(c.Port(), 91, TcpFlags.Syn, 7, bytes: 10), TcpFlags.Rst | TcpFlags.Ack, 0, 18));
        group.Both("no-backend-reject-tcp-ack", "RFC 9293 3.5.2", c => Reset(c, Tcp(c.Port(), 91, TcpFlags.Ack, 7, 99), TcpFlags.Rst, 99, 0));
        group.Both("no-backend-reject-tcp-fin", "RFC 9293 3.5.2", c => Reset(c, Tcp(c.Port(), 91, TcpFlags.Fin | TcpFlags.Ack, 7, 99), TcpFlags.Rst, 99, 0));
        group.Both("no-backend-never-resets-a-reset", "RFC 9293 3.5.2", c => c.Wan(Tcp(c.Port(), 91, TcpFlags.Rst, 7)(c.FromWan(c.Client, c.Service))).Dropped(DropReason.NoBackend));
        group.Both("drained-backend-takes-nothing-new", "RFC 2391 3.1", c => c.Wan(Udp(c.Port(), 92)(c.FromWan(c.Client, c.Service))).Dropped(DropReason.NoBackend));
    }

    private static void To(CaseScript c, Func<PacketBuilder, PacketBuilder> body, Func<PacketBuilder, PacketBuilder> arrives) =>
        c.Wan(body(c.FromWan(c.Client, c.Service))).ToLan(arrives(c.AtLan(c.Client, c.Host())));

    private static void From(CaseScript c, Func<PacketBuilder, PacketBuilder> body, Func<PacketBuilder, PacketBuilder> arrives) =>
        c.Lan(body(c.FromLan(c.Host(), c.Client))).ToWan(arrives(c.AtWan(c.Service, c.Client)));

    private static void Refused(CaseScript c, Func<PacketBuilder, PacketBuilder> body)
    {
        byte[] frame = body(c.FromWan(c.Client, c.Service)).Build();
        c.Wan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToWan(IcmpError.PortUnreachable, frame));
    }

    /// <summary>The reset of RFC 9293 3.5.2, from the service: window 0, and don't fragment as all that the gateway sends.</summary>
    private static void Reset(CaseScript c, Func<PacketBuilder, PacketBuilder> body, TcpFlags flags, uint sequence, uint acknowledgment)
    {
        PacketBuilder link = PacketBuilder.Ethernet(ConformanceWorld.WanMac, ConformanceWorld.ClientMac);
        link = c.IsV4 ? link.Ipv4(c.Service.ToString(), c.Client.ToString(), 64, dontFragment: true) : link.Ipv6(c.Service.ToString(), c.Client.ToString(), 64);
        c.Wan(body(c.FromWan(c.Client, c.Service))).Refused(DropReason.NoBackend, Tcp(91, c.Port(), flags, sequence, acknowledgment, window: 0)(link).Build());
    }
}
