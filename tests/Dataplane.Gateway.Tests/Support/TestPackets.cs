using Dataplane.Packets;
using static Dataplane.Gateway.Tests.Support.TestGateway;

namespace Dataplane.Gateway.Tests.Support;

/// <summary>Packets to port wan of <see cref="TestGateway"/>, one for every way a packet can go; each is of a flow of its own.</summary>
internal static class TestPackets
{
    public static IReadOnlyList<byte[]> All { get; } =
    [
        Wire().Ipv4(Client, "203.0.113.80").Tcp(40001, 80, Syn).Build(),
        Wire().Ipv4(Client, "203.0.113.80").Tcp(40002, 80, Syn).Build(),
        Wire().Ipv4(Client, "203.0.113.53").Udp(40003, 53).Payload("query").Build(),
        Wire().Ipv6(Client6, "2001:db8:80::80").Tcp(40004, 80, Syn).Build(),
        Wire().Ipv4(Client, "48.1.2.3").Udp(40005, 2000).Payload("routed").Build(),
        Wire().Ipv4(Client, "48.1.2.4").Udp(40006, 2000).Payload("routed elsewhere").Build(),
        Wire().Ipv6(Client6, "2001:db8:48::7").Udp(40007, 2000).Payload("routed").Build(),
        Wire().Ipv4(Client, "203.0.113.200").Udp(40008, 2000).Payload("rejected").Build(),
        Wire().Ipv4(Client, "100.64.0.1").Udp(40009, 2000).Payload("no route").Build(),
        Wire().Ipv4(Client, "48.1.2.3").Tcp(40010, 22, Syn).Build(),
        Wire().Ipv4("198.51.100.66", "48.1.2.3").Udp(40011, 2000).Payload("denied").Build(),
        Wire().Ipv4(Client, "48.1.2.3", ttl: 1).Udp(40012, 2000).Payload("expired").Build(),
        Wire().Ipv6(Client6, "2001:db8:48::7", hopLimit: 1).Udp(40013, 2000).Payload("expired").Build(),
        Wire().Ipv4(Client, "198.51.100.1").EchoRequest(7, 1).Payload("echo").Build(),
        Wire().Ipv6(Client6, "2001:db8:1::1").EchoRequest(7, 1).Payload("echo").Build(),
        Wire().Ipv4("127.0.0.1", "48.1.2.3").Udp(40014, 2000).Payload("martian").Build(),
        PacketBuilder.Ethernet(ClientMac, "02:00:00:00:77:77").Ipv4(Client, "48.1.2.3").Udp(40015, 2000).Payload("for another").Build(),
        PacketBuilder.Ethernet(ClientMac, "ff:ff:ff:ff:ff:ff").ArpRequest(Client, "198.51.100.1").Build(),
        [.. Wire().Ipv4(Client, "48.1.2.3").Udp(40016, 2000).Payload("cut off").Build().AsSpan(0, 30)],
        [1, 2, 3],
    ];

    private static TcpFlags Syn => TcpFlags.Syn;

    private static PacketBuilder Wire() => PacketBuilder.Ethernet(ClientMac, WanMac);
}
