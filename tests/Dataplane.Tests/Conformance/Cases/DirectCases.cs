using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Services whose backends answer clients themselves: packets go to their hardware address as they are.</summary>
internal static class DirectCases
{
    private const string Rfc = "RFC 2391 2";

    public static ConformanceGroup Group { get; } = new("service-dsr", Configure, Add);

    private static void Configure(DataplaneBuilder builder)
    {
        foreach ((string family, string address, string backend) in new[] { ("4", "192.0.2.80", "10.1.0.11"), ("6", "2001:db8:80::80", "2001:db8:2::11") })
        {
            builder.Service($"tcp{family}", address, 80, service => service.Tcp().Dsr().Backend(backend, 80)).Service($"udp{family}", address, 80, service => service.Udp().Dsr().Backend(backend, 80));
        }
    }

    private static void Add(ConformanceGroup group)
    {
        group.Both("udp-goes-as-it-is", Rfc, c => To(c, Udp(c.Port(), 80)));
        group.Both("tcp-goes-as-it-is", Rfc, c =>
        {
            To(c, Tcp(c.Port(), 80, TcpFlags.Syn, 1));
            To(c, Tcp(c.Port(), 80, TcpFlags.Ack, 2, 9, 100));
            To(c, Tcp(c.Port(), 80, TcpFlags.Fin | TcpFlags.Ack, 102, 9));
        });
        group.V4("udp-checksum-zero-stays-zero", "RFC 768", c => To(c, Udp(c.Port(), 80, 9, checksum: false)));
        group.Both("answer-through-the-gateway-is-forwarded", Rfc, c =>
        {
            To(c, Udp(c.Port(), 80));
            c.Lan(Udp(80, c.Port())(c.FromLan(c.Service, c.Client))).ToWan(Udp(80, c.Port())(c.AtWan(c.Service, c.Client)));
        }, linux: null);
        group.Both("error-about-an-answer-comes-to-the-backend", "RFC 5508 4.2.1", "RFC 4443 2.4", c =>
        {
            To(c, Udp(c.Port(), 80));
            byte[] about = Udp(80, c.Port())(c.AtWan(c.Service, c.Client)).Build();
            c.Wan(c.Error(c.FromWan(c.Remote(7), c.Service), IcmpError.TooBig, about, 1300)).ToLan(c.Error(c.AtLan(c.Remote(7), c.Service), IcmpError.TooBig, about, 1300));
        });
        group.Both("ttl-1-is-answered", "RFC 1812 4.3.3.4", "RFC 4443 3.3", c =>
        {
            byte[] frame = Udp(c.Port(), 80)(c.FromWan(c.Client, c.Service, 1)).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
        group.Both("fragments-go-as-they-are", "RFC 791 3.2", "RFC 8200 4.5", c =>
        {
            IReadOnlyList<byte[]> came = c.Fragments(Udp(c.Port(), 80, 2500)(c.FromWan(c.Client, c.Service)), 1024), left = c.Fragments(Udp(c.Port(), 80, 2500)(c.AtLan(c.Client, c.Service)), 1024);
            for (int part = 0; part < 3; part++)
            {
                c.Wan(came[part]).ToLan(left[part]);
            }
        });
        group.Both("other-port-is-refused", "RFC 1122 3.2.2.1", "RFC 4443 3.1", c =>
        {
            byte[] frame = Udp(c.Port(), 81)(c.FromWan(c.Client, c.Service)).Build();
            c.Wan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToWan(IcmpError.PortUnreachable, frame));
        });
    }

    private static void To(CaseScript c, Func<PacketBuilder, PacketBuilder> body) => c.Wan(body(c.FromWan(c.Client, c.Service))).ToLan(body(c.AtLan(c.Client, c.Service)));
}
