// A router without NAT, for IPv4 and IPv6: connected networks, a static route, a refused one, and an answer when the hop limit ends.

using Dataplane;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;

const string Left = "02:00:00:00:00:01", Host = "02:00:00:00:00:09", NextHop = "02:00:00:00:00:02";
var left = new MemoryPort(new MemoryPortOptions { Mac = MacAddress.Parse(Left) });
var right = new MemoryPort();
await using DataplaneEngine engine = new DataplaneBuilder()
    .Port("left", PortSource.Memory(left)).Interface("left", "192.0.2.1/24").Interface("left", "2001:db8:1::1/64")
    .Port("right", PortSource.Memory(right)).Interface("right", "198.51.100.1/24").Interface("right", "2001:db8:2::1/64")
    .Neighbour("left", "192.0.2.9", Host).Neighbour("left", "2001:db8:1::9", Host)
    .Neighbour("right", "198.51.100.2", NextHop).Neighbour("right", "2001:db8:2::2", NextHop)
    .Route("203.0.113.0/24", via: "198.51.100.2")
    .Route("::/0", via: "2001:db8:2::2")
    .RouteReject("203.0.113.128/25", RouteReject.Prohibited)
    .Build();
engine.StartManual();

Send("IPv4 by the static route", Packet().Ipv4("192.0.2.9", "203.0.113.7").Udp(1000, 2000).Payload("x"));
Send("IPv6 by the default route", Packet().Ipv6("2001:db8:1::9", "2001:db8:ffff::7").Udp(1000, 2000).Payload("x"));
Send("IPv4 to the refused half", Packet().Ipv4("192.0.2.9", "203.0.113.200").Udp(1000, 2000).Payload("x"));
Send("IPv6, hop limit used up", Packet().Ipv6("2001:db8:1::9", "2001:db8:ffff::7", hopLimit: 1).Udp(1000, 2000).Payload("x"));
Send("IPv4 without a route", Packet().Ipv4("192.0.2.9", "100.64.0.1").Udp(1000, 2000).Payload("x"));

await engine.StopAsync();
Console.WriteLine(engine.ReadAccounting());

PacketBuilder Packet() => PacketBuilder.Ethernet(Host, Left);

void Send(string title, PacketBuilder packet)
{
    Console.WriteLine(title);
    left.TrySend(packet.Build());
    engine.RunOnce();
    Print("left", left);
    Print("right", right);
}

static void Print(string name, MemoryPort port)
{
    using ReceivedFrames frames = port.ReceiveMany();
    for (int i = 0; i < frames.Count; i++)
    {
        var leaves = ParsedPacket.Parse(frames[i]);
        string what = leaves.IcmpType is byte type ? $"ICMP type {type} code {leaves.IcmpCode}" : $"protocol {leaves.Protocol}";
        Console.WriteLine($"  leaves by {name,-6} {leaves.Source} > {leaves.Destination}, {what}, ttl {leaves.Ttl}, to {leaves.DestinationMac}");
    }
}
