using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tunnels;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Packets taken out of others at addresses of the gateway.</summary>
internal static class DecapsulationCases
{
    private const string Own4 = "192.0.2.5", Own6 = "2001:db8:5::5", Far4 = "198.51.100.77", Far6 = "2001:db8:1::77";

    public static ConformanceGroup Group { get; } = new("decapsulation", Configure, Add);

    private static void Configure(DataplaneBuilder builder) => builder.Encapsulation(new EncapsulationSpec
    {
        Decapsulate =
        [
            new DecapsulationSpec { Address = IpAddress.Parse(Own4), From = [IpPrefix.Parse($"{Far4}/32")] },
            new DecapsulationSpec { Address = IpAddress.Parse(Own6), From = [IpPrefix.Parse($"{Far6}/128")] },
        ],
    });

    private static void Add(ConformanceGroup group)
    {
        foreach (int outer in new[] { 4, 6 })
        {
            foreach (bool isGue in new[] { false, true })
            {
                string way = $"{(isGue ? "gue" : "ipip")}-in-ipv{outer}", rfc = isGue ? "draft-ietf-intarea-gue 4" : outer == 4 ? "RFC 2003 3.2" : "RFC 2473 3.3";
                group.Both($"{way}-is-taken-out", rfc, c => TakesOut(c, outer, isGue, Udp(c.Port(), 53)));
                group.Both($"{way}-of-another-source-is-dropped", "RFC 6169 2.1", c =>
                    c.Wan(Enclosed(c, outer, isGue, Inner(c, Udp(c.Port(), 53)), from: outer == 4 ? "198.51.100.2" : "2001:db8:1::2")).Dropped(DropReason.TunnelSource));
                group.Both($"{way}-with-congestion-marked-outside-and-ect-inside", "RFC 6040 4.2", c => Congestion(c, outer, isGue, 0x02, 0x03));
                group.Both($"{way}-with-congestion-marked-outside-and-not-ect-inside", "RFC 6040 4.2", c =>
                    c.Wan(Enclosed(c, outer, isGue, Marked(c, 0x00, 64)[14..], tos: 0x03)).Dropped(DropReason.TunnelCongestion));
            }
        }

        AddDamage(group);
    }

    private static void AddDamage(ConformanceGroup group)
    {
        group.Both("nothing-inside", "RFC 2003 3.2", "RFC 2473 3.3", c => c.Wan(Outer(4, 0).Carrying(c.IsV4 ? (ushort)4 : (ushort)41)).Dropped(DropReason.TunnelMalformed));
        group.Both("other-version-than-the-protocol-says", "RFC 2003 3.2", "RFC 2473 3.3", c =>
            c.Wan(Outer(4, 0).Carrying(c.IsV4 ? (ushort)41 : (ushort)4).Payload(Inner(c, Udp(c.Port(), 53)))).Dropped(DropReason.TunnelMalformed));
        group.Both("gue-with-a-wrong-checksum", "RFC 768", "RFC 6936 4", c =>
        {
            byte[] frame = Enclosed(c, 6, true, Inner(c, Udp(c.Port(), 53)));
            frame[^1] ^= 1;
            c.Wan(frame).Dropped(DropReason.TunnelMalformed);
        });
        group.Both("gue-of-variant-0", "draft-ietf-intarea-gue 3", c =>
            c.Wan(Outer(4, 0).Udp(c.Port(), EncapsulationSpec.DefaultGuePort).Payload([0, 4, 0, 0, .. Inner(c, Udp(c.Port(), 53))])).Dropped(DropReason.TunnelMalformed));
        group.Both("fragment-of-an-outer-packet", "RFC 2003 5.1", "RFC 2473 7.2", c =>
            c.Wan(Outer(4, 0).Udp(c.Port(), EncapsulationSpec.DefaultGuePort).Payload(Inner(c, Udp(c.Port(), 53, 800))).BuildFragments(512)[0]).Dropped(DropReason.TunnelFragment));
        group.Both("twice-enclosed", "RFC 2473 4.1", c =>
            c.Wan(Enclosed(c, 4, false, Enclosed(c, 4, false, Inner(c, Udp(c.Port(), 53)))[14..], inside: 4)).Dropped(DropReason.TunnelNested));
        group.Both("martian-inside", "RFC 2003 4.1", "RFC 2473 9", c =>
            c.Wan(Enclosed(c, 4, false, Udp(c.Port(), 53)(c.FromWan(c.Of("127.0.0.1", "::1"), c.Host())).Build()[14..])).Dropped(DropReason.MartianSource));
        group.Both("own-address-as-source-inside", "RFC 2003 4.1", "RFC 2473 9", c =>
            c.Wan(Enclosed(c, 4, false, Udp(c.Port(), 53)(c.FromWan(c.LanGateway, c.Host())).Build()[14..])).Dropped(DropReason.OwnSource));
        group.Both("ttl-1-inside-is-answered-to-the-sender-inside", "RFC 2003 3.2", "RFC 2473 3.3", c =>
        {
            byte[] inner = Udp(c.Port(), 53)(c.FromWan(c.Client, c.Host(), 1)).Build();
            c.Wan(Enclosed(c, 4, false, inner[14..])).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, inner));
        });
    }

    private static void TakesOut(CaseScript c, int outer, bool isGue, Func<PacketBuilder, PacketBuilder> body) =>
        c.Wan(Enclosed(c, outer, isGue, Inner(c, body))).ToLan(body(c.AtLan(c.Client, c.Host())));

    private static void Congestion(CaseScript c, int outer, bool isGue, byte inside, byte leaves) =>
        c.Wan(Enclosed(c, outer, isGue, Marked(c, inside, 64)[14..], tos: 0x03)).ToLan(Marked(c, leaves, 63, comes: false));

    private static byte[] Marked(CaseScript c, byte tos, byte ttl, bool comes = true)
    {
        PacketBuilder link = comes ? PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac) : PacketBuilder.Ethernet(ConformanceWorld.LanMac, ConformanceWorld.ServerMac);
        return Udp(c.Port(), 53)(c.IsV4 ? link.Ipv4(c.Client.ToString(), c.Host().ToString(), ttl, tos) : link.Ipv6(c.Client.ToString(), c.Host().ToString(), ttl, tos)).Build();
    }

    private static byte[] Inner(CaseScript c, Func<PacketBuilder, PacketBuilder> body) => body(c.FromWan(c.Client, c.Host())).Build()[14..];

    private static PacketBuilder Outer(int outer, byte tos, string? from = null)
    {
        PacketBuilder link = PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac);
        return outer == 4 ? link.Ipv4(from ?? Far4, Own4, tos: tos) : link.Ipv6(from ?? Far6, Own6, trafficClass: tos);
    }

    private static byte[] Enclosed(CaseScript c, int outer, bool isGue, byte[] packet, string? from = null, byte tos = 0, int inside = 0)
    {
        PacketBuilder frame = Outer(outer, tos, from);
        int version = inside == 0 ? c.IsV4 ? 4 : 6 : inside;
        return (isGue ? frame.Udp(50_000, EncapsulationSpec.DefaultGuePort) : frame.Carrying(version == 4 ? (ushort)4 : (ushort)41)).Payload(packet).Build();
    }
}
