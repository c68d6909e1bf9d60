using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Packets that are none: dropped without a word, since there is nobody to believe.</summary>
internal static class MalformedCases
{
    public static ConformanceGroup Group { get; } = new("malformed", _ => { }, Add) { Linux = new LinuxRules() };

    private static void Add(ConformanceGroup group)
    {
        AddIp(group);
        AddExtensions(group);
        AddTransport(group);
    }

    private static void AddIp(ConformanceGroup group)
    {
        group.V4("header-checksum-wrong", "RFC 1812 5.2.2", c => c.Wan(With(c, frame => frame[24] ^= 0x10)).Dropped(DropReason.BadIpChecksum));
        group.V4("header-checksum-zero", "RFC 1071 1", c => c.Wan(With(c, frame => (frame[24], frame[25]) = (0, 0))).Dropped(DropReason.BadIpChecksum));
        group.V4("version-6-under-ipv4", "RFC 1812 5.2.2", c => c.Wan(With(c, frame => frame[14] = 0x65)).Dropped(DropReason.BadIpVersion));
        group.V6("version-4-under-ipv6", "RFC 2464 3", c => c.Wan(With(c, frame => frame[14] = 0x40)).Dropped(DropReason.BadIpVersion));
        group.V4("header-shorter-than-20", "RFC 1812 5.2.2", c => c.Wan(With(c, frame => frame[14] = 0x44)).Dropped(DropReason.BadIpHeaderLength));
        group.V4("header-longer-than-packet", "RFC 1812 5.2.2", c => c.Wan(With(c, frame => frame[14] = 0x4F)).Dropped(DropReason.TruncatedIp));
        group.V4("total-length-under-header", "RFC 1812 5.2.2", c => c.Wan(With(c, frame => (frame[16], frame[17]) = (0, 19))).Dropped(DropReason.BadIpLength));
        group.V4("total-length-beyond-frame", "RFC 1812 5.2.2", c => c.Wan(With(c, frame => frame[16] = 4)).Dropped(DropReason.TruncatedIp));
        group.V6("payload-length-beyond-frame", "RFC 8200 3", c => c.Wan(With(c, frame => frame[18] = 4)).Dropped(DropReason.TruncatedIp));
        group.Both("header-cut-off", "RFC 1812 5.2.2", "RFC 8200 3", c => c.Wan(With(c, _ => { })[..(14 + (c.IsV4 ? 19 : 39))]).Dropped(DropReason.TruncatedIp));
        group.Both("packet-cut-off", "RFC 1812 5.2.2", "RFC 8200 3", c => c.Wan(With(c, _ => { })[..^1]).Dropped(DropReason.TruncatedIp));
        group.V4("no-ip-at-all", "RFC 1812 5.2.2", c =>
            c.Wan(PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Carrying(0x88B5).PayloadOf(46).Build()).Dropped(DropReason.UnknownEtherType));
    }

    private static void AddExtensions(ConformanceGroup group)
    {
        group.V6("hop-by-hop-behind-another-header", "RFC 8200 4.1", c =>
            c.Wan(c.FromWan(c.Client, c.Host()).DestinationOptions().HopByHop().Udp(c.Port(), 53).PayloadOf(9)).Dropped(DropReason.BadExtensionHeader),
            linux: "looks into hop-by-hop options only where they stand first, and at none elsewhere");
        group.V6("extension-header-cut-off", "RFC 8200 4", c => c.Wan(c.FromWan(c.Client, c.Host()).Carrying(0).PayloadOf(4)).Dropped(DropReason.BadExtensionHeader));
        group.V6("extension-header-longer-than-packet", "RFC 8200 4.2", c =>
            c.Wan(c.FromWan(c.Client, c.Host()).Carrying(60).Payload([17, 9, 1, 4, 0, 0, 0, 0])).Dropped(DropReason.BadExtensionHeader),
            linux: "does not look into destination options of others");
        group.V6("nine-extension-headers", "RFC 9098 3.1", c =>
        {
            PacketBuilder packet = c.FromWan(c.Client, c.Host());
            for (int headers = 0; headers < 9; headers++)
            {
                packet = packet.DestinationOptions();
            }

            c.Wan(packet.Udp(c.Port(), 53)).Dropped(DropReason.BadExtensionHeader);
        }, linux: "follows chains of any length, and does not look at those of others");
        group.V6("eight-extension-headers-pass", "RFC 8200 4.1", c =>
        {
            static PacketBuilder Chain(PacketBuilder packet)
            {
                for (int headers = 0; headers < 8; headers++)
                {
                    packet = packet.DestinationOptions();
                }

                return packet;
            }

            c.In(packet => Chain(packet).Udp(c.Port(), 53).PayloadOf(9));
        });
        group.V6("fragment-of-a-fragment", "RFC 8200 4.1", c =>
            c.Wan(c.FromWan(c.Client, c.Host()).Fragment(0, true, 1).Fragment(64, true, 2).Carrying(17).PayloadOf(64)).Dropped(DropReason.BadFragment),
            linux: "does not look into fragments that it only forwards");
    }

    private static void AddTransport(ConformanceGroup group)
    {
        const string NotLooked = "does not look behind the IP header of what it only forwards";
        group.Both("tcp-header-cut-off", "RFC 9293 3.1", c => c.InDropped(DropReason.TruncatedTransport, Protocol(6, 19)), linux: NotLooked);
        group.Both("tcp-data-offset-under-5", "RFC 9293 3.1", c => c.Wan(With(c, Tcp(c.Port(), 80, TcpFlags.Syn), frame => frame[c.TransportAt + 12] = 0x40)).Dropped(DropReason.TruncatedTransport), linux: NotLooked);
        group.Both("tcp-data-offset-beyond-segment", "RFC 9293 3.1", c => c.Wan(With(c, Tcp(c.Port(), 80, TcpFlags.Syn), frame => frame[c.TransportAt + 12] = 0xF0)).Dropped(DropReason.TruncatedTransport), linux: NotLooked);
        group.Both("udp-header-cut-off", "RFC 768", c => c.InDropped(DropReason.TruncatedTransport, Protocol(17, 7)), linux: NotLooked);
        group.Both("udp-length-under-8", "RFC 768", c => c.Wan(With(c, frame => frame[c.TransportAt + 5] = 7)).Dropped(DropReason.TruncatedTransport), linux: NotLooked);
        group.Both("udp-length-beyond-packet", "RFC 768", c => c.Wan(With(c, frame => frame[c.TransportAt + 4] = 1)).Dropped(DropReason.TruncatedTransport), linux: NotLooked);
        group.Both("udp-shorter-than-packet-passes", "RFC 768", c =>
        {
            byte[] frame = With(c, sent => sent[c.TransportAt + 5]--), expected = Udp(c.Port(), 53)(c.AtLan(c.Client, c.Host())).Build();
            expected[c.TransportAt + 5]--;
            c.Wan(frame).ToLan(expected);
        });
        group.Both("icmp-header-cut-off", "RFC 792", "RFC 4443 2.1", c => c.InDropped(DropReason.TruncatedTransport, Protocol(c.IsV4 ? (byte)1 : (byte)58, 3)), linux: NotLooked);
    }

    private static byte[] With(CaseScript c, Action<byte[]> damage) => With(c, Udp(c.Port(), 53), damage);

    private static byte[] With(CaseScript c, Func<PacketBuilder, PacketBuilder> body, Action<byte[]> damage)
    {
        byte[] frame = body(c.FromWan(c.Client, c.Host())).Build();
        damage(frame);
        return frame;
    }
}
