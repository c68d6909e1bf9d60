using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tunnels;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Services whose packets reach the backend inside others, of either family in either.</summary>
internal static class TunnelCases
{
    private const string Source4 = "198.18.0.1", Source6 = "2001:db8:99::1";

    public static IReadOnlyList<ConformanceGroup> Groups { get; } =
    [
        Of(ForwardMode.Ipip, 4, "RFC 2003 3.1", "RFC 4213 3.5"), Of(ForwardMode.Ipip, 6, "RFC 2473 3.1", "RFC 2473 3.1"),
        Of(ForwardMode.Gue, 4, "draft-ietf-intarea-gue 4", "draft-ietf-intarea-gue 4"), Of(ForwardMode.Gue, 6, "draft-ietf-intarea-gue 4", "draft-ietf-intarea-gue 4"),
    ];

    private static ConformanceGroup Of(ForwardMode mode, int outer, string inner4, string inner6)
    {
        string backend = outer == 4 ? "10.1.0.11" : "2001:db8:2::11";
        return new($"service-{(mode == ForwardMode.Gue ? "gue" : "ipip")}-in-ipv{outer}", builder =>
        {
            builder.Encapsulation(new EncapsulationSpec { Sources = [IpPrefix.Parse($"{Source4}/32"), IpPrefix.Parse($"{Source6}/128")] });
            foreach ((string family, string address) in new[] { ("4", "192.0.2.80"), ("6", "2001:db8:80::80") })
            {
                builder.Service($"udp{family}", address, 80, service => service.Udp().Enclosed(mode).Backend(backend, 80)).Service($"tcp{family}", address, 80, service => service.Tcp().Enclosed(mode).Backend(backend, 80));
            }
        }, group => Add(group, new Way(mode == ForwardMode.Gue, outer, backend), inner4, inner6));
    }

    private static void Add(ConformanceGroup group, Way way, string inner4, string inner6)
    {
        group.Both("udp-goes-inside", inner4, inner6, c => way.To(c, Udp(c.Port(), 80)));
        group.Both("tcp-goes-inside-by-one-way", inner4, inner6, c =>
        {
            uint entropy = way.To(c, Tcp(c.Port(), 80, TcpFlags.Syn, 1));
            Assert.Equal(entropy, way.To(c, Tcp(c.Port(), 80, TcpFlags.Ack, 2, 9, 700)));
            Assert.Equal(entropy, way.To(c, Tcp(c.Port(), 80, TcpFlags.Fin | TcpFlags.Ack, 702, 9)));
        });
        foreach ((string what, byte tos) in new (string, byte)[] { ("expedited", 0xB8), ("ect0", 0x02), ("congestion", 0x03) })
        {
            group.Both($"traffic-class-{what}-is-that-outside", "RFC 6040 4.1", c => way.To(c, Udp(c.Port(), 80), tos));
        }

        group.Both("too-big-tells-what-fits-inside", "RFC 2003 5.1", "RFC 2473 7.1", c =>
        {
            int fits = 1500 - way.OuterBytes;
            byte[] frame = Udp(c.Port(), 80, fits + 1 - (c.IsV4 ? 28 : 48))(Marked(c, 64, 0, true)).Build();
            c.Wan(frame).Refused(DropReason.PacketTooBig, c.OwnErrorToWan(IcmpError.TooBig, frame, (uint)fits));
        });
        group.Both("ttl-1-is-answered", "RFC 2003 3.1", "RFC 2473 3.1", c =>
        {
            byte[] frame = Udp(c.Port(), 80)(c.FromWan(c.Client, c.Service, 1)).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
        group.Both("ttl-inside-goes-down-and-outside-begins-anew", "RFC 2003 3.1", "RFC 2473 6.3", c => way.To(c, Udp(c.Port(), 80), ttl: 9));
        group.V4("udp-checksum-zero-inside-stays-zero", "RFC 768", c => way.To(c, Udp(c.Port(), 80, 9, checksum: false)));
        group.Both("fragments-go-inside-whole-packets", "RFC 2003 3.1", "RFC 2473 7", c =>
        {
            IReadOnlyList<byte[]> came = c.Fragments(Udp(c.Port(), 80, 900)(c.FromWan(c.Client, c.Service)), 512), left = c.Fragments(Udp(c.Port(), 80, 900)(c.FromWan(c.Client, c.Service, 63)), 512);
            uint entropy = way.Encloses(c, came[0], left[0]);
            Assert.Equal(entropy, way.Encloses(c, came[1], left[1]));
        });
    }

    private static PacketBuilder Marked(CaseScript c, byte ttl, byte tos, bool dontFragment)
    {
        PacketBuilder link = PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac);
        return c.IsV4 ? link.Ipv4(c.Client.ToString(), c.Service.ToString(), ttl, tos, dontFragment: dontFragment) : link.Ipv6(c.Client.ToString(), c.Service.ToString(), ttl, tos);
    }

    /// <summary>The outer header of one mode and family.</summary>
    private sealed record Way(bool IsGue, int Outer, string Backend)
    {
        public int OuterBytes => (Outer == 4 ? 20 : 40) + (IsGue ? 8 : 0);

        /// <summary>A packet to the service goes inside another; what of the outer header is of the flow's hash comes back.</summary>
        public uint To(CaseScript c, Func<PacketBuilder, PacketBuilder> body, byte tos = 0, byte ttl = 64) =>
            Encloses(c, body(Marked(c, ttl, tos, false)).Build(), body(Marked(c, (byte)(ttl - 1), tos, false)).Build(), tos);

        public uint Encloses(CaseScript c, byte[] came, byte[] inside, byte tos = 0)
        {
            byte[] left = c.Wan(came).Left("lan");

            // The flow label of an outer IPv6 header and the source port of GUE may be anything, if they are the same for all packets of a flow.
            uint label = Outer == 6 ? (uint)(((left[15] & 0x0F) << 16) | (left[16] << 8) | left[17]) : 0, port = 0;
            PacketBuilder packet = PacketBuilder.Ethernet(ConformanceWorld.LanMac, ConformanceWorld.ServerMac);
            packet = Outer == 4 ? packet.Ipv4(Source4, Backend, 64, tos, dontFragment: true) : packet.Ipv6(Source6, Backend, 64, tos, label);
            if (IsGue)
            {
                int at = 14 + OuterBytes - 8;
                port = (uint)((left[at] << 8) | left[at + 1]);
                Assert.True(port >= 49_152, $"source port {port}");
                packet = packet.Udp((ushort)port, EncapsulationSpec.DefaultGuePort, checksum: Outer == 6);
            }
            else
            {
                packet = packet.Carrying(c.IsV4 ? (ushort)4 : (ushort)41);
            }

            c.Same(packet.Payload(inside.AsSpan(14)), left);
            return (label << 16) ^ port;
        }
    }
}
