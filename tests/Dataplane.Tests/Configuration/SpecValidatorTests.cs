using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Health;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Tracking;
using Dataplane.Tunnels;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Configuration;

/// <summary>What only code can do wrong, and what must stay allowed.</summary>
/// <remarks>The rules that files can break are tested with files, in Dataplane.Hosting.Tests.</remarks>
public class SpecValidatorTests
{
    private static readonly DataplaneSpec s_good = new()
    {
        Ports = [Memory("wan"), Memory("lan")],
        Interfaces =
        [
            On("wan", "198.51.100.2/24"), On("lan", "10.1.0.1/24"), On("lan", "10.1.0.2/24"), On("wan", "2001:db8:1::1/64"), On("lan", "2001:db8:2::1/64"),
            On("wan", "fe80::1/64"), On("lan", "fe80::1/64"), On("wan", "192.0.2.0/31"), On("wan", "192.0.2.4/32"), On("wan", "2001:db8:3::/127"),
            On("wan", "2001:db8:4::/128"), On("lan", "2001:db8:5::ffff:ffff:ffff:ffff/64"), On("lan", "10.2.0.1/24") with { Vlan = 4094 },
        ],
        Neighbours =
        [
            new NeighbourSpec { Port = "lan", Address = IpAddress.Parse("10.1.0.9"), Mac = MacAddress.Parse("02:00:00:00:00:09") },
            new NeighbourSpec { Port = "lan", Address = IpAddress.Parse("fe80::9"), Mac = MacAddress.Parse("02:00:00:00:00:09") },
            new NeighbourSpec { Port = "wan", Address = IpAddress.Parse("fe80::9"), Mac = MacAddress.Parse("02:00:00:00:00:19") },
            new NeighbourSpec { Port = "lan", Vlan = 4094, Address = IpAddress.Parse("10.2.0.9"), Mac = MacAddress.Parse("02:00:00:00:00:09"), Learned = true },
        ],
        Routes =
        [
            To("0.0.0.0/0", Hop("198.51.100.1"), Hop("192.0.2.1") with { Weight = 255 }),
            To("::/0", Hop("fe80::9") with { Port = "wan" }),
            To("203.0.113.0/24", Hop("172.16.0.1") with { Port = "lan" }),
            To("2001:db8:ffff::/48", new NextHopSpec { Port = "lan" }),
            To("240.0.0.0/4") with { Reject = RouteReject.Blackhole },
        ],
        Filter = new FilterSpec
        {
            Rules =
            [
                new FilterRuleSpec { Action = FilterAction.Deny, From = IpPrefix.Parse("10.0.0.0/8"), Protocol = 1 },
                new FilterRuleSpec { Name = "v6", From = IpPrefix.Parse("::/0"), To = IpPrefix.Parse("2001:db8::/32"), Protocol = 58, Port = "wan" },
                new FilterRuleSpec { Protocol = 6, FromPort = new PortRange(0, 0), ToPort = PortRange.All, TcpFlags = new TcpFlagMatch(0x12, 0x02) },
                new FilterRuleSpec(),
            ],
        },
        Services =
        [
            Service("web", "198.51.100.2", 80, Backend("10.1.0.11", 8080), Backend("10.1.0.11", 8081), Backend("10.9.9.9", 80) with { Weight = 0 }),
            Service("web-udp", "198.51.100.2", 80) with { Protocol = 17 },
            Service("web-v6", "2001:db8:1::80", 80, Backend("2001:db8:2::11", 80) with { Weight = 65535 }) with { TableSize = 251 },
            Service("idle", "192.0.2.80", 65535, Backend("10.1.0.11", 1) with { Weight = 0 }) with { TableSize = 5_000_011 },
        ],
        Workers = new WorkerSpec { Cpu = 1023, SpinMicroseconds = 0, FlowEntries = 67_108_864, NeighbourEntries = 64, IcmpErrorsPerSecond = 0 },
    };

    private static readonly Dictionary<string, (DataplaneSpec Spec, string Error)> s_bad = new()
    {
        ["null ports"] = (new DataplaneSpec { Ports = null! }, "ports: is null; an empty list is allowed"),
        ["null port"] = (s_good with { Ports = [Memory("wan"), null!, Memory("lan")] }, "ports[1]: is null; leave it out"),
        ["null port name"] = (s_good with { Ports = [.. s_good.Ports, Memory(null!)] },
            "ports[2]: is not a name: 1 to 32 letters, digits, '-', '_' or '.' are needed"),
        ["port twice"] = (s_good with { Ports = [.. s_good.Ports, Memory("wan")] }, "ports.wan: \"wan\": is the name of ports.wan already; names are unique"),
        ["kind out of the enumeration"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = (PortKind)99 }] },
            "ports.x.kind: \"99\": is not af_packet, af_xdp, tap, memif, stream, vxlan, pcap or memory"),
        ["role out of the enumeration"] = (new DataplaneSpec { Ports = [Memory("x") with { Kind = PortKind.Memif, Socket = "/s", Role = (PortRole)9 }] },
            "ports.x.role: \"9\": is not client or server"),
        ["device that is named and handed in"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = PortKind.Tap, Interface = "t0", Descriptor = 3 }] },
            "ports.x.interface: \"t0\": goes not with fd: the device that is handed in has it already; remove one of the two"),
        ["namespace of a device that is handed in"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = PortKind.Tap, NetworkNamespace = "n", Descriptor = 3 }] },
            "ports.x.netns: \"n\": goes not with fd: the device that is handed in has it already; remove one of the two"),
        ["descriptor of a standard stream"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = PortKind.Tap, Descriptor = 2 }] },
            "ports.x.fd: \"2\": is not a descriptor number from 3 to 1048576"),
        ["offload of a kind without"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Offload = PortOffload.Off }] },
            "ports.x.offload: \"off\": is of no use to kind memory: it belongs to af_packet, af_xdp or tap; remove it"),
        ["fast path of another kind"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = PortKind.Tap, Interface = "t0", Offload = PortOffload.Xdp }] },
            "ports.x.offload: \"xdp\": is for kind af_xdp, whose programs forward by themselves; auto and off are allowed"),
        ["ring of a kind without"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Ring = AfPacketRing.Blocks }] },
            "ports.x.ring: \"blocks\": is of no use to kind memory: it belongs to af_packet; remove it"),
        ["queues of a kind without"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Queues = 2 }] },
            "ports.x.queues: \"2\": is of no use to kind memory: it belongs to af_packet, af_xdp, tap or memif; remove it"),
        ["no queues"] = (s_good with { Ports = [.. s_good.Ports, Xdp([]) with { Queues = 0 }] }, "ports.x.queues: \"0\": is not a number of queues from 1 to 16"),
        ["17 queues"] = (s_good with { Ports = [.. s_good.Ports, Xdp([]) with { Queues = 17 }] }, "ports.x.queues: \"17\": is not a number of queues from 1 to 16"),
        ["queues of a device that is handed in"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = PortKind.Tap, Descriptor = 3, Queues = 2 }] },
            "ports.x.queues: \"2\": goes not with fd: the descriptor that is handed in is one queue; remove one of the two"),
        ["queues of a factory without"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Factory = new MemoryPort(), Queues = 2 }] },
            "ports.x.queues: \"2\": is more than 1: the factory that was handed in opens ports of one queue"),
        ["name of an interface with a zero"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = PortKind.Tap, Interface = "a\0b" }] },
            "ports.x.interface: \"a\\u0000b\": is not the name of an interface: 1 to 15 visible ASCII characters without '/' and ':' are needed"),
        ["file with a zero"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Kind = PortKind.Pcap, Input = "a\0b" }] },
            "ports.x.input: \"a\\u0000b\": is not the path of a file: a zero character ends it"),
        ["traffic rule that says nothing"] = (s_good with { Ports = [.. s_good.Ports, Xdp([new TrafficRule()])] },
            "ports.x.take[0]: says nothing: to, protocol or both are needed"),
        ["traffic rule with a port and no protocol"] = (s_good with { Ports = [.. s_good.Ports, Xdp([new TrafficRule { ToPort = new PortRange(22, 22) }])] },
            "ports.x.take[0].to_port: \"22\": needs protocol: tcp or udp, which have ports"),
        ["traffic rule with host bits"] = (s_good with { Ports = [.. s_good.Ports, Xdp([new TrafficRule { To = IpPrefix.Parse("10.0.0.1/8") }])] },
            "ports.x.take[0].to: \"10.0.0.1/8\": has bits set behind its length; the prefix is 10.0.0.0/8"),
        ["65 traffic rules"] = (s_good with { Ports = [.. s_good.Ports, Xdp([.. Enumerable.Repeat(new TrafficRule { Protocol = 6 }, 65)])] },
            "ports.x.take: has 65 rules with leave; 64 are allowed"),
        ["traffic rules of another kind"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Take = [new TrafficRule { Protocol = 6 }] }] },
            "ports.x.take: is of no use to kind memory: it belongs to af_xdp; remove it"),
        ["4097 ports"] = (new DataplaneSpec { Ports = [.. Enumerable.Range(0, 4097).Select(i => Memory($"p{i}"))] }, "ports: has 4097 ports; 4096 are allowed"),
        ["interface without address"] = (s_good with { Interfaces = [.. s_good.Interfaces, new InterfaceSpec { Port = "lan", Address = default }] },
            "interfaces[13].address: is missing: an address with prefix length, such as 198.51.100.2/24, is needed"),
        ["interface without port"] = (s_good with { Interfaces = [.. s_good.Interfaces, On(null!, "10.99.0.1/24")] },
            "interfaces[13].port: is missing: the name of a port is needed; the ports are wan, lan"),
        ["zero hardware address"] = (s_good with { Interfaces = [.. s_good.Interfaces, On("lan", "10.99.0.1/24") with { Mac = new MacAddress(0) }] },
            "interfaces[13].mac: \"00:00:00:00:00:00\": is all zeros; a unicast hardware address such as 02:00:00:00:00:01 is needed"),
        ["neighbour without address"] = (s_good with { Neighbours = [new NeighbourSpec { Port = "lan", Address = default, Mac = new MacAddress(2) }] },
            "neighbours[0].address: is missing: an IPv4 or IPv6 address is needed"),
        ["null hops"] = (s_good with { Routes = [To("0.0.0.0/0") with { Via = null! }] }, "routes[0].via: is null; an empty list is allowed"),
        ["empty hop"] = (s_good with { Routes = [To("0.0.0.0/0", new NextHopSpec { Port = null! })] },
            "routes[0].via[0]: names neither an address nor a port; at least one is needed"),
        ["route without destination"] = (s_good with { Routes = [new RouteSpec { To = default, Reject = RouteReject.Blackhole }] },
            "routes[0].to: is missing: a prefix such as 0.0.0.0/0 or 2001:db8::/32 is needed"),
        ["reject out of the enumeration"] = (s_good with { Routes = [To("0.0.0.0/0") with { Reject = (RouteReject)9 }] },
            "routes[0].reject: \"9\": is not blackhole, unreachable or prohibited"),
        ["null filter"] = (s_good with { Filter = null! }, "filter: is null; an empty filter is allowed"),
        ["null rules"] = (s_good with { Filter = new FilterSpec { Rules = null! } }, "filter.rules: is null; an empty list is allowed"),
        ["action out of the enumeration"] = (Rule(new FilterRuleSpec { Action = (FilterAction)9 }), "filter.rules[0].action: \"9\": is not allow or deny"),
        ["empty prefix"] = (Rule(new FilterRuleSpec { From = default(IpPrefix) }),
            "filter.rules[0].from: is empty: a prefix or an address is needed, or nothing at all"),
        ["range backwards"] = (Rule(new FilterRuleSpec { Protocol = 17, ToPort = new PortRange(9, 8) }),
            "filter.rules[0].to_port: \"9-8\": is a range whose first port is above its last"),
        ["state out of the enumeration"] = (Rule(new FilterRuleSpec { State = (ConnectionStates)16 }),
            "filter.rules[0].state: \"16\": is not new, established, related or invalid"),
        ["null timeouts of the filter"] = (s_good with { Filter = new FilterSpec { Timeouts = null! } }, "filter.timeouts: is null; leave it out"),
        ["timeout of the filter"] = (s_good with { Filter = new FilterSpec { Timeouts = new NatTimeouts { Udp = TimeSpan.Zero } } },
            "filter.timeouts.udp: \"00:00:00\": is not a time from 1s to 604800s (7 days) in whole milliseconds"),
        ["prefix no IPv4 address fits behind"] = (s_good with { Nat = [Nat64("2001:db8:64::/95")] }, "nat[0].nat64: \"2001:db8:64::/95\": is no prefix that IPv4 addresses can be embedded behind: "
            + "IPv6, 32, 40, 48, 56, 64 or 96 bits, no other bit set, and bits 64 to 71 zero (RFC 6052 2.2), such as 64:ff9b::/96"),
        ["prefix of IPv4"] = (s_good with { Nat = [Nat64("192.0.2.0/24")] }, "nat[0].nat64: \"192.0.2.0/24\": is no prefix that IPv4 addresses can be embedded behind: "
            + "IPv6, 32, 40, 48, 56, 64 or 96 bits, no other bit set, and bits 64 to 71 zero (RFC 6052 2.2), such as 64:ff9b::/96"),
        ["NAT64 of IPv4 sources"] = (s_good with { Nat = [Nat64("64:ff9b::/96") with { From = IpPrefix.Parse("10.1.0.0/24") }] },
            "nat[0].from: \"10.1.0.0/24\": is IPv4, but where nat64 is set it is IPv6 hosts that are translated"),
        ["NAT64 to IPv6"] = (s_good with { Nat = [Nat64("64:ff9b::/96") with { Pool = [IpAddress.Parse("198.51.100.9"), IpAddress.Parse("2001:db8:1::9")] }] },
            "nat[0].pool[1]: \"2001:db8:1::9\": is IPv6, but where nat64 is set packets leave as IPv4"),
        ["SIIT behind no prefix"] = (s_good with { Siit = Siit("2001:db8::/95") }, "siit.prefix: \"2001:db8::/95\": is no prefix that IPv4 addresses can be embedded behind: "
            + "IPv6, 32, 40, 48, 56, 64 or 96 bits, no other bit set, and bits 64 to 71 zero (RFC 6052 2.2), such as 64:ff9b::/96"),
        ["mapping without room"] = (s_good with { Siit = Siit("64:ff9b::/96", ("192.0.2.0/24", "2001:db8::/121")) },
            "siit.mappings[0].v6: \"2001:db8::/121\": leaves 7 bits for hosts, where 192.0.2.0/24 has 8 (RFC 7757 3.1)"),
        ["mapping that is there"] = (s_good with { Siit = Siit("64:ff9b::/96", ("203.0.113.1/32", "2001:db8::1/128"), ("203.0.113.1/32", "2001:db8::2/128")) },
            "siit.mappings[1].v4: \"203.0.113.1/32\": is siit.mappings[0].v4 already"),
        ["mapping of one family"] = (s_good with { Siit = Siit("64:ff9b::/96", ("2001:db8::1/128", "2001:db8::1/128")) }, "siit.mappings[0].v4: \"2001:db8::1/128\": is not IPv4"),
        ["mapping with bits behind it"] = (s_good with { Siit = Siit("64:ff9b::/96", ("192.0.2.1/24", "2001:db8::/64")) },
            "siit.mappings[0].v4: \"192.0.2.1/24\": has bits behind its length; write 192.0.2.0/24"),
        ["router address of IPv6"] = (s_good with { Siit = Siit("64:ff9b::/96") with { RouterAddresses = [IpAddress.Parse("2001:db8::1")] } },
            "siit.router_addresses[0]: \"2001:db8::1\": is IPv6, but it is in IPv4 that routers of the IPv6 side lack an address"),
        ["SIIT and states"] = (s_good with { Siit = Siit("64:ff9b::/96"), Filter = new FilterSpec { Rules = [new FilterRuleSpec { Name = "known", State = Dataplane.Tracking.ConnectionStates.Established }] } },
            "siit: does not go together with filter rules that ask for a state: there is none, a connection is of one family on its way there and of the other on its way back"),
        ["static NAT64"] = (s_good with { Nat = [Nat64("64:ff9b::/96") with { From = IpPrefix.Parse("2001:db8:2::9/128"), Pool = [IpAddress.Parse("198.51.100.9")], Static = true }] },
            "nat[0].static: \"true\": has no meaning where nat64 is set: several hosts share an IPv4 address by their ports; leave it out"),
        ["static translation of many"] = (s_good with { Nat = [new NatSpec { Inside = "lan", Outside = "wan", From = IpPrefix.Parse("10.1.0.0/24"), Pool = [IpAddress.Parse("198.51.100.9")], Static = true }] },
            "nat[0].from: \"10.1.0.0/24\": has to be one address where static is set"),
        ["static translation to the interface"] = (s_good with { Nat = [new NatSpec { Inside = "lan", Outside = "wan", From = IpPrefix.Parse("10.1.0.9/32"), Static = true }] },
            "nat[0].pool: has to be one address where static is set: the one that stands for from"),
        ["static translation of another's address"] = (s_good with
        {
            Nat =
            [
                new NatSpec { Inside = "lan", Outside = "wan", From = IpPrefix.Parse("10.1.0.9/32"), Pool = [IpAddress.Parse("198.51.100.9")], Static = true },
                new NatSpec { Inside = "lan", Outside = "wan", Pool = [IpAddress.Parse("198.51.100.9")] },
            ],
        }, "nat[0].pool[0]: \"198.51.100.9\": is in the pool of another rule, but stands for one host here"),
        ["flags without mask"] = (Rule(new FilterRuleSpec { Protocol = 6, TcpFlags = new TcpFlagMatch(0, 0) }),
            "filter.rules[0].tcp_flags: \"mask 0x00, value 0x00\": looks at no flag; a mask with at least one flag, and a value inside the mask are needed"),
        ["flags outside the mask"] = (Rule(new FilterRuleSpec { Protocol = 6, TcpFlags = new TcpFlagMatch(2, 3) }),
            "filter.rules[0].tcp_flags: \"mask 0x02, value 0x03\": asks for flags it does not look at, so that no packet could match; "
                + "a mask with at least one flag, and a value inside the mask are needed"),
        ["mapped ports of one host"] = (s_good with
        {
            Nat = [Mapped(Nat("lan", "wan", "198.51.100.9")) with { From = IpPrefix.Parse("10.1.0.9/32"), Static = true }],
        }, "nat[0].mapping: \"endpoint_independent\": has no meaning where static is set: that host has all ports of the address towards everybody; leave it out"),
        ["filtering of ports that are not mapped"] = (s_good with { Nat = [Nat("lan", "wan") with { Filtering = NatFiltering.AddressDependent }] },
            "nat[0].filtering: \"address_dependent\": needs mapping: endpoint_independent; other ports outside are good for one remote address and port only"),
        ["refreshing what is not mapped"] = (s_good with { Nat = [Nat("lan", "wan") with { RefreshInbound = true }] },
            "nat[0].refresh_inbound: \"true\": needs mapping: endpoint_independent; other flows live by what either side sends"),
        ["mapping out of the enumeration"] = (s_good with { Nat = [Nat("lan", "wan") with { Mapping = (NatMapping)2 }] },
            "nat[0].mapping: \"2\": is not address_and_port_dependent or endpoint_independent"),
        ["filtering out of the enumeration"] = (s_good with { Nat = [Mapped(Nat("lan", "wan")) with { Filtering = (NatFiltering)3 }] },
            "nat[0].filtering: \"3\": is not address_and_port_dependent, address_dependent or endpoint_independent"),
        ["mapped and other ports of one address"] = (s_good with { Nat = [Nat("lan", "wan", "192.0.2.9", "192.0.2.10"), Mapped(Nat("lan", "wan", "192.0.2.10"))] },
            "nat[1].mapping: \"endpoint_independent\": differs from that of nat[0], which has the address 192.0.2.10 too; an address has ports of one kind, so let both say the "
                + "same or give one of them another pool"),
        ["mapped and other ports of the interface"] = (s_good with { Nat = [Mapped(Nat("lan", "wan")) with { From = IpPrefix.Parse("10.1.0.9/32") }, Nat("lan", "wan")] },
            "nat[1].mapping: \"address_and_port_dependent\": differs from that of nat[0], which has the address 198.51.100.2 too; an address has ports of one kind, so let both "
                + "say the same or give one of them another pool"),
        ["mapped by one way and not by another"] = (s_good with { Ports = [.. s_good.Ports, Memory("dsl")], Nat = [Nat("lan", "wan", "192.0.2.9"), Mapped(Nat("lan", "dsl", "192.0.2.10"))] },
            "nat[1].mapping: \"endpoint_independent\": differs from that of nat[0], which covers the same sources on their way to wan; who a flow belongs to depends on it, so "
                + "let both say the same or keep their sources apart by from"),
        ["null NAT rule"] = (s_good with { Nat = [null!] }, "nat[0]: is null; leave it out"),
        ["NAT of no port"] = (s_good with { Nat = [Nat("lan", "wam")] }, "nat[0].outside: \"wam\": is not a port; the ports are wan, lan; did you mean \"wan\"?"),
        ["NAT to itself"] = (s_good with { Nat = [Nat("lan", "lan")] },
            "nat[0].outside: \"lan\": is the inside too; packets must leave by another port than they came by"),
        ["NAT without an address to take"] = (new DataplaneSpec { Ports = [Memory("a"), Memory("b")], Nat = [Nat("a", "b")] },
            "nat[0].outside: \"b\": is a port without an address, so that there is none to take; give it an interface, or the rule a pool"),
        ["null pool"] = (s_good with { Nat = [Nat("lan", "wan") with { Pool = null! }] }, "nat[0].pool: is null; an empty list is allowed"),
        ["link-local pool"] = (s_good with { Nat = [Nat("lan", "wan", "fe80::9")] },
            "nat[0].pool[0]: \"fe80::9\": is a link-local address, which no router behind the link forwards to"),
        ["pool address twice"] = (s_good with { Nat = [Nat("lan", "wan", "192.0.2.9", "192.0.2.9")] }, "nat[0].pool[1]: \"192.0.2.9\": is nat[0].pool[0] already"),
        ["pool of the other family"] = (s_good with { Nat = [Nat("lan", "wan", "192.0.2.9") with { From = IpPrefix.Parse("2001:db8::/32") }] },
            "nat[0].pool: has no address of the family of from (2001:db8::/32), so that nothing would be translated"),
        ["timeout of nothing"] = (s_good with { Nat = [Nat("lan", "wan") with { Timeouts = new NatTimeouts { Udp = TimeSpan.Zero } }] },
            "nat[0].timeouts.udp: \"00:00:00\": is not a time from 1s to 604800s (7 days) in whole milliseconds"),
        ["null timeouts"] = (s_good with { Nat = [Nat("lan", "wan") with { Timeouts = null! }] }, "nat[0].timeouts: is null; leave it out"),
        ["service of another protocol"] = (s_good with { Services = [Service("x", "192.0.2.9", 1) with { Protocol = 132 }] },
            "services[0].protocol: \"132\": is not tcp or udp, the protocols that can be balanced"),
        ["policy out of the enumeration"] = (s_good with { Services = [Service("x", "192.0.2.9", 1) with { Balance = (BalancePolicy)9 }] },
            "services[0].balance: \"9\": is not maglev, round_robin, weighted, source_hash, rendezvous, least_connections or power_of_two"),
        ["mode out of the enumeration"] = (s_good with { Services = [Service("x", "192.0.2.9", 1) with { Forward = (ForwardMode)9 }] },
            "services[0].forward: \"9\": is not nat, dsr, ipip or gue"),
        ["clients remembered for ever"] = (s_good with { Services = [Service("x", "192.0.2.9", 1) with { Affinity = TimeSpan.FromDays(2) }] },
            "services[0].affinity: \"2.00:00:00\": is not a time from 1s to 86400s in whole milliseconds"),
        ["another port without translation"] = (s_good with { Services = [Service("x", "192.0.2.9", 1, Backend("10.1.0.11", 2)) with { Forward = ForwardMode.Dsr }] },
            "services[0].backends[0].port: \"2\": is not the service's, 1: with forward: dsr packets reach the backend as they are"),
        ["far away without translation"] = (s_good with { Services = [Service("x", "192.0.2.9", 1, Backend("10.9.9.9", 1)) with { Forward = ForwardMode.Dsr }] },
            "services[0].backends[0].address: \"10.9.9.9\": is in no prefix of an interface: with forward: dsr the backend must be on a link of the engine's"),
        ["another port inside"] = (Enclosing(["198.18.0.1/32"], Service("x", "192.0.2.9", 1, Backend("10.9.9.9", 2)) with { Forward = ForwardMode.Gue }),
            "services[0].backends[0].port: \"2\": is not the service's, 1: with forward: gue packets reach the backend as they are"),
        ["no source of the family"] = (Enclosing(["198.18.0.1/32"], Service("x", "192.0.2.9", 1, Backend("2001:db8:9::9", 1)) with { Forward = ForwardMode.Ipip }),
            "services[0].backends[0].address: \"2001:db8:9::9\": is IPv6, and encapsulation.sources has no IPv6 address for packets to such a backend to come from"),
        ["the service inside itself"] = (Enclosing(["198.18.0.1/32"], Service("x", "192.0.2.9", 1, Backend("192.0.2.9", 1)) with { Forward = ForwardMode.Ipip }),
            "services[0].backends[0].address: \"192.0.2.9\": is the service itself, so that its packets would never arrive"),
        ["source with host bits"] = (Enclosing(["198.18.0.1/16"]),
            "encapsulation.sources[0]: \"198.18.0.1/16\": has bits behind its length, which differ from flow to flow; write 198.18.0.0/16"),
        ["two sources of a family"] = (Enclosing(["198.18.0.1/32", "198.18.1.0/24"]),
            "encapsulation.sources[1]: \"198.18.1.0/24\": is of the same family as encapsulation.sources[0]; one of each is allowed"),
        ["link-local source"] = (Enclosing(["fe80::7/128"]), "encapsulation.sources[0]: \"fe80::7\": is a link-local address, to which no error about a packet finds back"),
        ["multicast sources"] = (Enclosing(["ff00::/16"]), "encapsulation.sources[0]: \"ff00::/16\": is not a prefix of addresses that hosts can have, of at least 8 bits"),
        ["source that is none"] = (s_good with { Encapsulation = new EncapsulationSpec { Sources = [default] } }, "encapsulation.sources[0]: is missing: an address or a prefix is needed"),
        ["GUE port 0"] = (s_good with { Encapsulation = new EncapsulationSpec { GuePort = 0 } }, "encapsulation.gue_port: \"0\": is not a port from 1 to 65535"),
        ["encapsulation null"] = (s_good with { Encapsulation = null! }, "encapsulation: is null; leave it out"),
        ["null sources"] = (s_good with { Encapsulation = new EncapsulationSpec { Sources = null! } }, "encapsulation.sources: is null; an empty list is allowed"),
        ["taken out twice"] = (TakingOut(Taken("198.18.0.9"), Taken("198.18.0.9")),
            "encapsulation.decapsulate[1].address: \"198.18.0.9\": is encapsulation.decapsulate[0] already"),
        ["taken out at a link-local address"] = (TakingOut(Taken("fe80::8")),
            "encapsulation.decapsulate[0].address: \"fe80::8\": is a link-local address, which is there on every link; one that routes can lead to is needed"),
        ["taken out at a network address"] = (TakingOut(Taken("10.1.0.0")),
            "encapsulation.decapsulate[0].address: \"10.1.0.0\": is the network address of 10.1.0.0/24; the address of one host is needed"),
        ["nothing taken out"] = (TakingOut(Taken("198.18.0.9") with { Kinds = TunnelKinds.None }), "encapsulation.decapsulate[0].kinds: \"0\": is none of ipip or gue; leave it out for both"),
        ["unknown taken out"] = (TakingOut(Taken("198.18.0.9") with { Kinds = (TunnelKinds)5 }), "encapsulation.decapsulate[0].kinds: \"5\": is none of ipip or gue; leave it out for both"),
        ["from another family"] = (TakingOut(Taken("198.18.0.9") with { From = [IpPrefix.Parse("2001:db8::/32")] }),
            "encapsulation.decapsulate[0].from[0]: \"2001:db8::/32\": is of another family than 198.18.0.9, so that nothing would come from it"),
        ["from null"] = (TakingOut(Taken("198.18.0.9") with { From = null! }), "encapsulation.decapsulate[0].from: is null; an empty list is allowed"),
        ["removal out of the enumeration"] = (s_good with { Services = [Service("x", "192.0.2.9", 1) with { OnRemove = (RemovePolicy)9 }] },
            "services[0].on_remove: \"9\": is not move, reset or keep"),
        ["refusal out of the enumeration"] = (s_good with { Services = [Service("x", "192.0.2.9", 1) with { NoBackend = (NoBackendPolicy)9 }] },
            "services[0].no_backend: \"9\": is not drop or reject"),
        ["check out of the enumeration"] = (Healthy(new HealthSpec { Check = (HealthCheckKind)9 }), "services[0].health.check: \"9\": is not none, tcp, http, https or udp"),
        ["port out of range"] = (Healthy(new HealthSpec { Port = 65536 }),
            "services[0].health.port: \"65536\": is not a port, or 0 for the backend's own from 0 to 65535"),
        ["source of the other family"] = (Healthy(new HealthSpec { Source = IpAddress.Parse("2001:db8::1") }),
            "services[0].health.source: \"2001:db8::1\": is of another family than the service's address 192.0.2.9 and the backends'; both must be of one"),
        ["source that no host has"] = (Healthy(new HealthSpec { Source = IpAddress.Parse("224.0.0.1") }),
            "services[0].health.source: \"224.0.0.1\": is a multicast address; the address of one host is needed"),
        ["path without a slash"] = (Healthy(new HealthSpec { Path = "healthz" }),
            "services[0].health.path: \"healthz\": is not a path: \"/\" and up to 254 visible ASCII characters are needed"),
        ["path with a line of its own"] = (Healthy(new HealthSpec { Path = "/\r\nX:" }),
            "services[0].health.path: \"/\\u000d\\u000aX:\": is not a path: \"/\" and up to 254 visible ASCII characters are needed"),
        ["host with a blank"] = (Healthy(new HealthSpec { Host = "a b" }),
            "services[0].health.host: \"a b\": is not a host name: up to 255 visible ASCII characters are allowed"),
        ["status out of range"] = (Healthy(new HealthSpec { StatusFrom = 99 }), "services[0].health.status: \"99\": is not a HTTP status from 100 to 599"),
        ["status turned round"] = (Healthy(new HealthSpec { StatusFrom = 300, StatusTo = 200 }),
            "services[0].health.status: \"300-200\": is not a range: its end must not be before its beginning, nor above 599"),
        ["udp check that says nothing"] = (Healthy(new HealthSpec { Check = HealthCheckKind.Udp }),
            "services[0].health.send: is missing: what udp checks send; a server must answer it"),
        ["udp check that says too much"] = (Healthy(new HealthSpec { Send = new string('x', 513) }),
            $"services[0].health.send: \"{new string('x', 120)}…\": is longer than 512 bytes, or null"),
        ["interval of nothing"] = (Healthy(new HealthSpec { Interval = TimeSpan.Zero }),
            "services[0].health.interval: \"00:00:00\": is not a time from 10ms to 3600s in whole milliseconds"),
        ["timeout of a fraction"] = (Healthy(new HealthSpec { Timeout = TimeSpan.FromTicks(1_000_001) }),
            "services[0].health.timeout: \"00:00:00.1000001\": is not a time from 10ms to 60s in whole milliseconds"),
        ["no check to rise"] = (Healthy(new HealthSpec { Rise = 0 }), "services[0].health.rise: \"0\": is not a number of checks from 1 to 100"),
        ["too many to fall"] = (Healthy(new HealthSpec { Fall = 101 }), "services[0].health.fall: \"101\": is not a number of checks from 1 to 100"),
        ["more than all in panic"] = (Healthy(new HealthSpec { PanicPercent = 101 }), "services[0].health.panic: \"101\": is not a percentage from 0 to 100"),
        ["passive check of datagrams"] = (Healthy(new HealthSpec { Passive = 3 }, protocol: 17),
            "services[0].health.passive: \"3\": is of no use to udp, whose packets do not say whether they are answered; remove it"),
        ["drain for a moment"] = (s_good with
        {
            Services = [Service("x", "192.0.2.9", 1, Backend("10.9.9.9", 1) with { Drain = true, DrainDeadline = TimeSpan.FromMilliseconds(999) })],
        },
            "services[0].backends[0].drain_deadline: \"00:00:00.9990000\": is not a time from 1s to 604800s in whole milliseconds"),
        ["deadline with nothing to end"] = (s_good with
        {
            Services = [Service("x", "192.0.2.9", 1, Backend("10.9.9.9", 1) with { DrainDeadline = TimeSpan.FromSeconds(5) }) with { OnRemove = RemovePolicy.Keep }],
        },
            "services[0].backends[0].drain_deadline: \"5s\": has nothing to end while the service says on_remove: keep; move or reset is needed with it"),
        ["null backend"] = (s_good with { Services = [Service("x", "192.0.2.9", 1, [null!])] }, "services[0].backends[0]: is null; leave it out"),
        ["more backends than slots"] = (s_good with
        {
            Services = [Service("x", "192.0.2.9", 1, [.. Enumerable.Range(1, 251).Select(i => Backend("10.9.9.9", (ushort)i))]) with { TableSize = 251 }],
        }, "services[0].table_size: \"251\": is not more than the 251 backends, each of which needs a slot"),
        ["worker of a port that there is not"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Worker = 1 }] },
            "ports.x.worker: \"1\": is not the number of a worker: there is one worker, number 0"),
        ["worker beyond the last"] = (s_good with { Ports = [.. s_good.Ports, Memory("x") with { Worker = 3 }], Workers = new WorkerSpec { Count = 3 } },
            "ports.x.worker: \"3\": is not the number of a worker: there are 3 workers, numbers 0 to 2"),
        ["CPUs for too few workers"] = (s_good with { Workers = new WorkerSpec { Count = 3, Pin = [0, 1] } },
            "workers.pin: \"0, 1\": names 2 CPUs for 3 workers: one is needed for each, or none"),
        ["CPU for two workers"] = (s_good with { Workers = new WorkerSpec { Count = 2, Pin = [4, 4] } },
            "workers.pin: \"4, 4\": names a CPU twice: two workers that spin on one CPU take it from each other"),
        ["CPU out of range"] = (s_good with { Workers = new WorkerSpec { Count = 2, Pin = [0, 1024] } },
            "workers.pin[1]: \"1024\": is not a CPU number from 0 to 1023"),
        ["one CPU for several workers"] = (s_good with { Workers = new WorkerSpec { Count = 2, Cpu = 3 } },
            "workers.cpu: \"3\": pins one worker; give each of several its CPU by pin: [ 2, 3 ]"),
        ["null workers"] = (s_good with { Workers = null! }, "workers: is null; empty settings are allowed"),
        ["more neighbours than room"] = (s_good with
        {
            Neighbours = [.. Enumerable.Range(10, 65).Select(i => Neighbour("lan", 0, 0x0A01_0000u + (uint)i))],
        }, "workers.neighbour_entries: \"64\": is less than the 65 neighbours of the configuration, addresses of endpoints included"),
    };

    private static Dataplane.Nat64.SiitSpec Siit(string prefix, params (string V4, string V6)[] mappings) => new()
    {
        Prefix = IpPrefix.Parse(prefix),
        Mappings = [.. mappings.Select(mapping => new Dataplane.Nat64.SiitMappingSpec { V4 = IpPrefix.Parse(mapping.V4), V6 = IpPrefix.Parse(mapping.V6) })],
    };

    private static NatSpec Nat64(string prefix) => new() { Inside = "lan", Outside = "wan", Nat64 = IpPrefix.Parse(prefix), Pool = [IpAddress.Parse("198.51.100.9")] };

    private static NatSpec Nat(string inside, string outside, params string[] pool) =>
        new() { Inside = inside, Outside = outside, Pool = [.. pool.Select(address => IpAddress.Parse(address))] };

    private static NatSpec Mapped(NatSpec rule) => rule with { Mapping = NatMapping.EndpointIndependent };

    public static TheoryData<string> Bad => [.. s_bad.Keys];

    [Fact]
    public void Validate_EverythingAllowed_HasNoErrors() => Assert.Empty(SpecValidator.Validate(s_good));

    [Theory]
    [MemberData(nameof(Bad))]
    public void Validate_OneThingWrong_SaysThatAndNothingElse(string name)
    {
        (DataplaneSpec spec, string error) = s_bad[name];
        Assert.Equal([error], SpecValidator.Validate(spec).Select(found => found.ToString()));
    }

    [Fact]
    public void Validate_PortsOfTheUsersOwn_NeedNoKeysOfTheirKind()
    {
        var spec = new DataplaneSpec { Ports = [Memory("a") with { Kind = PortKind.AfPacket, Factory = new MemoryPort() }] };
        Assert.Empty(SpecValidator.Validate(spec));
    }

    [Fact]
    public void Validate_UnknownPortAndItsDependants_AreReportedOnce()
    {
        var spec = new DataplaneSpec
        {
            Ports = [Memory("lan")],
            Interfaces = [On("lna", "10.1.0.1/24")],
            Neighbours = [new NeighbourSpec { Port = "lan", Address = IpAddress.Parse("10.1.0.9"), Mac = new MacAddress(2) }],
            Routes = [To("0.0.0.0/0", Hop("10.1.0.9")), To("10.3.0.0/16", Hop("10.1.0.9") with { Port = "lan" })],
        };
        Assert.Equal(["interfaces[0].port: \"lna\": is not a port; the ports are lan; did you mean \"lan\"?"],
            SpecValidator.Validate(spec).Select(found => found.ToString()));
    }

    [Fact]
    public void Validate_SeveralThingsWrong_AreReportedInTheOrderOfTheConfiguration()
    {
        var spec = new DataplaneSpec
        {
            Ports = [Memory("a b"), Memory("lan") with { Mtu = 1 }],
            Interfaces = [On("lan", "10.1.0.0/24"), On("lan", "10.0.0.1/8"), On("none", "10.1.0.1/24")],
            Services = [Service("", "10.1.0.255", 0)],
            Workers = new WorkerSpec { Count = 17 },
        };
        Assert.Equal(
            [
                "ports[\"a b\"]", "ports.lan.mtu", "interfaces[0].address", "interfaces[2].port", "services[0].name", "services[0].address", "services[0].port",
                "workers.count",
            ],
            SpecValidator.Validate(spec).Select(found => found.Path));
    }

    [Fact]
    public void Validate_AnySpec_NeverThrowsAndSaysWhere() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        IReadOnlyList<ConfigurationError> errors = SpecValidator.Validate(new RandomSpecs(seed, isWild: seed % 2 == 0).Next());
        Assert.All(errors, error => Assert.False(string.IsNullOrWhiteSpace(error.Path) || string.IsNullOrWhiteSpace(error.Message)));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Fact]
    public void Validate_EveryVlanOfSeveralPorts_HasNoErrors()
    {
        var links = (from port in Enumerable.Range(0, 4)
                     from vlan in Enumerable.Range(1, 4094)
                     select (Port: $"p{port}", Vlan: vlan, Bits: (uint)((port << 14) | (vlan << 2)))).ToArray();
        var spec = new DataplaneSpec
        {
            Ports = [.. Enumerable.Range(0, 4).Select(port => Memory($"p{port}"))],
            Interfaces = [.. links.Select(l => On(l.Port, $"{IpAddress.FromV4(0x0A00_0001 + l.Bits)}/30") with { Vlan = l.Vlan })],
            Neighbours = [.. links.Select(l => Neighbour(l.Port, l.Vlan, 0x0A00_0002 + l.Bits))],
            Routes = [.. links.Select(l => To($"{IpAddress.FromV4(0x1400_0000 + l.Bits)}/30", Hop($"{IpAddress.FromV4(0x0A00_0002 + l.Bits)}")))],
            Workers = new WorkerSpec { NeighbourEntries = 1_048_576 },
        };
        Assert.Empty(SpecValidator.Validate(spec));
    }

    private static PortSpec Xdp(TrafficRules take) => new() { Name = "x", Kind = PortKind.AfXdp, Interface = "eth0", Take = take };

    private static PortSpec Memory(string name) => new() { Name = name, Kind = PortKind.Memory };

    private static InterfaceSpec On(string port, string address) => new() { Port = port, Address = IpPrefix.Parse(address) };

    private static NeighbourSpec Neighbour(string port, int vlan, uint address) =>
        new() { Port = port, Vlan = vlan, Address = IpAddress.FromV4(address), Mac = new MacAddress(2) };

    private static NextHopSpec Hop(string address) => new() { Address = IpAddress.Parse(address) };

    private static RouteSpec To(string prefix, params NextHopSpec[] via) => new() { To = IpPrefix.Parse(prefix), Via = via };

    private static DataplaneSpec Rule(FilterRuleSpec rule) => s_good with { Filter = new FilterSpec { Rules = [rule] } };

    private static DataplaneSpec Enclosing(string[] sources, params ServiceSpec[] services) =>
        s_good with { Encapsulation = new EncapsulationSpec { Sources = [.. sources.Select(source => IpPrefix.Parse(source))] }, Services = services };

    private static DataplaneSpec TakingOut(params DecapsulationSpec[] taken) => s_good with { Encapsulation = new EncapsulationSpec { Decapsulate = taken } };

    private static DecapsulationSpec Taken(string address) => new() { Address = IpAddress.Parse(address) };

    private static DataplaneSpec Healthy(HealthSpec health, byte protocol = 6) =>
        s_good with { Services = [Service("x", "192.0.2.9", 1) with { Health = health, Protocol = protocol }] };

    private static BackendSpec Backend(string address, ushort port) => new() { Address = IpAddress.Parse(address), Port = port };

    private static ServiceSpec Service(string name, string address, ushort port, params BackendSpec[] backends) =>
        new() { Name = name, Address = IpAddress.Parse(address), Port = port, Backends = backends };

    [Fact]
    public void Vouch_ForASpecification_IsBelievedOnceAndOfThatObjectAlone()
    {
        DataplaneSpec wrong = s_good with { Services = [Service("x", "192.0.2.9", 1), Service("x", "192.0.2.9", 1)] };
        int errors = SpecValidator.Validate(wrong).Count;
        Assert.NotEqual(0, errors);
        SpecValidator.Vouch(wrong);
        Assert.Equal(errors, SpecValidator.Validate(wrong with { }).Count);
        Assert.Empty(SpecValidator.Validate(wrong));
        Assert.Equal(errors, SpecValidator.Validate(wrong).Count);
    }
}
