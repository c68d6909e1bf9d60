using Dataplane;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;

await using DataplaneEngine plane = new DataplaneBuilder()
    .Port("wan", PortSource.AfPacket("eth0"))
    .Port("lan", PortSource.AfPacket("eth1"))
    .Interface("wan", "198.51.100.2/24").Interface("lan", "10.1.0.1/24")
    .Filter(f => f.Deny(from: "203.0.113.0/24").DefaultAllow())
    .Route("0.0.0.0/0", via: "198.51.100.1")
    .Service("web", "198.51.100.10", 443, s => s.Maglev().Backend("10.1.0.11", 8443, weight: 2).Backend("10.1.0.12", 8443))
    .Build();                                   // throws once, with every error in the configuration

await plane.StartAsync();                       // opens the ports, as root or with CAP_NET_RAW, and forwards until it is stopped
Console.WriteLine("forwarding; Enter ends it");
Console.ReadLine();

string mac = File.ReadAllText("/sys/class/net/eth0/address").Trim();
byte[] packet = PacketBuilder.Ethernet("02:00:00:00:00:01", mac).Ipv4("192.0.2.7", "198.51.100.10").Tcp(40000, 443).Build();
Explanation why = plane.Explain(packet, onPort: "wan");
Console.WriteLine(why);                         // every stage, rule, table version, choice
await plane.StopAsync();
Console.WriteLine(plane.ReadAccounting());      // received + originated = transmitted + dropped + held
