using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>What a router does to packets that it forwards, and to none else.</summary>
internal static class ForwardingCases
{
    public static ConformanceGroup Group { get; } = new("forwarding", _ => { }, Add) { Linux = new LinuxRules() };

    private static void Add(ConformanceGroup group)
    {
        AddTransports(group);
        AddHeaders(group);
        AddLink(group);
    }

    private static void AddTransports(ConformanceGroup group)
    {
        const string Ttl4 = "RFC 1812 5.3.1", Ttl6 = "RFC 8200 3";
        group.Both("udp-ttl-down-by-one", Ttl4, Ttl6, c => c.In(Udp(c.Port(), 53)));
        group.Both("tcp-ttl-down-by-one", Ttl4, Ttl6, c => c.In(Tcp(c.Port(), 80, TcpFlags.Syn)));
        group.Both("echo-ttl-down-by-one", Ttl4, Ttl6, c => c.In(EchoRequest(c.Port())));
        group.Both("unknown-protocol-is-no-reason-to-drop", "RFC 1812 5.1", "RFC 8200 4", c => c.In(Protocol(253)));
        group.Both("esp-passes-as-it-is", "RFC 4303 2", c => c.In(Protocol(50, 64)));
        group.Both("udp-without-payload", "RFC 768", c => c.In(Udp(c.Port(), 53, 0)));
        group.V4("udp-checksum-zero-stays", "RFC 768", c => c.In(Udp(c.Port(), 53, 9, checksum: false)));
        group.Both("transport-checksum-is-the-ends-business", "RFC 1812 5.2", "RFC 8200 8.1", c =>
        {
            byte[] frame = Udp(c.Port(), 53)(c.FromWan(c.Client, c.Host())).Build(), expected = Udp(c.Port(), 53)(c.AtLan(c.Client, c.Host())).Build();
            (frame[^1], expected[^1]) = ((byte)(frame[^1] ^ 0x55), (byte)(expected[^1] ^ 0x55));
            c.Wan(frame).ToLan(expected);
        });
        foreach (byte ttl in new byte[] { 2, 255 })
        {
            group.Both($"ttl-{ttl}-becomes-{ttl - 1}", Ttl4, Ttl6, c =>
                c.Wan(Udp(c.Port(), 53)(c.FromWan(c.Client, c.Host(), ttl))).ToLan(Udp(c.Port(), 53)(c.AtLan(c.Client, c.Host(), (byte)(ttl - 1)))));
        }

        group.Both("longest-packet-of-the-link", "RFC 1812 4.2.2.2", "RFC 8200 5", c => c.In(Udp(c.Port(), 53, 1500 - c.TransportAt + 14 - 8)));
        group.Both("fragments-go-on-as-they-come", "RFC 1812 5.2.6", "RFC 8200 4.5", c =>
        {
            IReadOnlyList<byte[]> came = c.Fragments(Udp(c.Port(), 53, 2500)(c.FromWan(c.Client, c.Host())), 1024), left = c.Fragments(Udp(c.Port(), 53, 2500)(c.AtLan(c.Client, c.Host())), 1024);
            foreach (int part in new[] { 2, 0, 1 })
            {
                c.Wan(came[part]).ToLan(left[part]);
            }
        });
        group.Both("to-a-host-beyond-the-next-hop", "RFC 1812 5.2.4.3", "RFC 8200 3", c =>
            c.Lan(Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Remote(9)))).ToWan(Udp(c.Port(), 53)(c.AtWan(c.Host(), c.Remote(9)))));
        group.Both("back-by-the-port-it-came-from", "RFC 1812 5.2.4.3", "RFC 8200 3", c =>
            c.Wan(Udp(c.Port(), 53)(c.FromWan(c.Client, c.Remote(9)))).ToWan(Udp(c.Port(), 53)(c.AtWan(c.Client, c.Remote(9)))),
            linux: "sends a redirect as well, which RFC 1812 5.2.7.2 lets a router leave out");
    }

    private static void AddHeaders(ConformanceGroup group)
    {
        foreach ((byte tos, string what) in new (byte, string)[] { (0xB8, "expedited"), (0x01, "ect1"), (0x02, "ect0"), (0x03, "congestion") })
        {
            group.Both($"traffic-class-{what}-is-kept", "RFC 2474 3", tos < 4 ? "RFC 3168 5" : "RFC 2474 3", c =>
                c.Wan(Udp(c.Port(), 53)(Marked(c, true, tos, 0))).ToLan(Udp(c.Port(), 53)(Marked(c, false, tos, 0))));
        }

        group.V6("flow-label-is-kept", "RFC 6437 3", c => c.Wan(Udp(c.Port(), 53)(Marked(c, true, 0, 0xABCDE))).ToLan(Udp(c.Port(), 53)(Marked(c, false, 0, 0xABCDE))));
        group.V4("identification-and-dont-fragment-are-kept", "RFC 791 3.1", c =>
            c.Wan(Plain(true, 0xBEEF, true).Udp(c.Port(), 53).PayloadOf(9)).ToLan(Plain(false, 0xBEEF, true).Udp(c.Port(), 53).PayloadOf(9)));
        group.V4("options-are-kept", "RFC 1812 5.3.13", c => c.Wan(Optioned(true, [1, 1, 1, 0]).Udp(c.Port(), 53).PayloadOf(9)).ToLan(Optioned(false, [1, 1, 1, 0]).Udp(c.Port(), 53).PayloadOf(9)));
        group.V4("record-route-is-not-carried-out", "RFC 7126 4.6", c =>
            c.Wan(Optioned(true, [7, 7, 4, 0, 0, 0, 0, 0]).Udp(c.Port(), 53).PayloadOf(9)).ToLan(Optioned(false, [7, 7, 4, 0, 0, 0, 0, 0]).Udp(c.Port(), 53).PayloadOf(9)),
            linux: "writes its address into the option, as RFC 1812 5.3.13.5 has it; RFC 7126 4.6 lets routers ignore it");
        group.V6("hop-by-hop-options-are-kept", "RFC 8200 4.3", c =>
            c.Wan(c.FromWan(c.Client, c.Host()).HopByHop().Udp(c.Port(), 53).PayloadOf(9)).ToLan(c.AtLan(c.Client, c.Host()).HopByHop().Udp(c.Port(), 53).PayloadOf(9)));
        group.V6("destination-options-are-the-hosts", "RFC 8200 4.6", c =>
            c.Wan(c.FromWan(c.Client, c.Host()).DestinationOptions().Udp(c.Port(), 53).PayloadOf(9)).ToLan(c.AtLan(c.Client, c.Host()).DestinationOptions().Udp(c.Port(), 53).PayloadOf(9)));
        group.V6("routing-header-of-another-is-kept", "RFC 5095 3", c =>
            c.Wan(c.FromWan(c.Client, c.Host()).Routing(0, 0, new byte[4]).Udp(c.Port(), 53).PayloadOf(9))
                .ToLan(c.AtLan(c.Client, c.Host()).Routing(0, 0, new byte[4]).Udp(c.Port(), 53).PayloadOf(9)));
        group.V6("atomic-fragment-is-kept", "RFC 6946 4", c =>
            c.Wan(c.FromWan(c.Client, c.Host()).Fragment(0, false, 77).Udp(c.Port(), 53).PayloadOf(9)).ToLan(c.AtLan(c.Client, c.Host()).Fragment(0, false, 77).Udp(c.Port(), 53).PayloadOf(9)),
            linux: null);
        group.V6("no-next-header-passes", "RFC 8200 4.7", c => c.In(Protocol(59, 8)));
    }

    private static void AddLink(ConformanceGroup group)
    {
        group.Both("padding-of-the-link-does-not-go-on", "RFC 894", "RFC 2464 3", c => c.Wan(Udp(c.Port(), 53, 1)(c.FromWan(c.Client, c.Host())).PadTo(90)).ToLan(Udp(c.Port(), 53, 1)(c.AtLan(c.Client, c.Host()))));
        group.Both("frame-to-another-station-is-not-forwarded", "RFC 1812 5.3.4", "RFC 2464 4", c =>
            c.Wan(Udp(c.Port(), 53)(Link(c, MacAddress.Parse("02:00:00:00:77:77")))).Dropped(DropReason.NotForUs));
        group.Both("unicast-in-a-broadcast-frame-is-not-forwarded", "RFC 1122 3.3.6", "RFC 1812 5.3.4", c => c.Wan(Udp(c.Port(), 53)(Link(c, MacAddress.Broadcast))).Dropped(DropReason.Broadcast));
        group.Both("unknown-vlan-is-nobodys", "RFC 1812 5.3.4", c =>
            c.Wan(Udp(c.Port(), 53)(PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Vlan(99).Ip(c.Client, c.Host()))).Dropped(DropReason.NoInterface));
        group.Both("priority-tag-is-no-vlan", "RFC 2464 3", c =>
            c.Wan(Udp(c.Port(), 53)(PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Vlan(0, 5).Ip(c.Client, c.Host())))
                .ToLan(Udp(c.Port(), 53)(c.AtLan(c.Client, c.Host()))));
    }

    private static PacketBuilder Link(CaseScript c, MacAddress to) => PacketBuilder.Ethernet(ConformanceWorld.ClientMac, to).Ip(c.Client, c.Host());

    private static PacketBuilder Links(bool comes) => comes
        ? PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac)
        : PacketBuilder.Ethernet(ConformanceWorld.LanMac, ConformanceWorld.ServerMac);

    private static PacketBuilder Marked(CaseScript c, bool comes, byte tos, uint label) => c.IsV4
        ? Links(comes).Ipv4(c.Client.ToString(), c.Host().ToString(), comes ? (byte)64 : (byte)63, tos)
        : Links(comes).Ipv6(c.Client.ToString(), c.Host().ToString(), comes ? (byte)64 : (byte)63, tos, label);

    private static PacketBuilder Plain(bool comes, ushort identification, bool dontFragment) =>
        Links(comes).Ipv4("198.51.100.2", "10.1.0.11", comes ? (byte)64 : (byte)63, 0, identification, dontFragment);

    private static PacketBuilder Optioned(bool comes, byte[] options) => Links(comes).Ipv4(new Ipv4Fields
    {
        Source = IpAddress.Parse("198.51.100.2"),
        Destination = IpAddress.Parse("10.1.0.11"),
        Ttl = comes ? (byte)64 : (byte)63,
    }, options);
}
