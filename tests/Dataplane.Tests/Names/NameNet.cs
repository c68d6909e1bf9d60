using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Names;

/// <summary>A name server with one record of each kind, and queries to it.</summary>
internal static class NameNet
{
    public static readonly NameServerSpec Spec = new()
    {
        Name = "mesh",
        Addresses = [IpAddress.Parse("198.51.100.1"), IpAddress.Parse("2001:db8:1::1"), IpAddress.Parse("198.51.100.53")],
        Zones =
        [
            new ZoneSpec
            {
                Name = "Mesh.Example.",
                TtlSeconds = 30,
                NegativeTtlSeconds = 7,
                Records =
                [
                    A("web.mesh.example", "10.96.0.1"), A("web.mesh.example", "fd00::1"), A("db.mesh.example", "10.96.0.2", 1), A("db.mesh.example", "10.96.0.3", 3),
                    .. Enumerable.Range(1, 100).Select(host => A("many.mesh.example", $"10.97.0.{host}")),
                    NameRecord.Srv("_http._tcp.web.mesh.example", "web.mesh.example", 8080), NameRecord.Txt("dns-version.mesh.example", "1.1.0"),
                    NameRecord.Cname("alias.mesh.example", "second.mesh.example"), NameRecord.Cname("second.mesh.example", "web.mesh.example"),
                    NameRecord.Cname("out.mesh.example", "www.example.org"), NameRecord.Cname("ring.mesh.example", "ring.mesh.example"),
                    A("a.b.c.mesh.example", "10.96.0.9") with { TtlSeconds = 1 },
                ],
            },
            new ZoneSpec { Name = "sub.mesh.example", Records = [A("x.sub.mesh.example", "10.96.0.8")] },
            new ZoneSpec { Name = "in-addr.arpa", IsPartial = true, Records = [NameRecord.Reverse(IpAddress.Parse("10.96.0.1"), "web.mesh.example")] },
            new ZoneSpec { Name = "ip6.arpa", IsPartial = true, Records = [NameRecord.Reverse(IpAddress.Parse("fd00::1"), "web.mesh.example")] },
        ],
    };

    public static NameRecord A(string name, string address, int weight = 1) => NameRecord.Of(name, IpAddress.Parse(address), weight);

    /// <summary>An engine with the name server.</summary>
    public static TestPlane Create(NameServerSpec? server = null, Action<DataplaneBuilder>? configure = null) => TestPlane.Create(builder =>
    {
        builder.Names(server ?? Spec);
        configure?.Invoke(builder);
    });

    /// <summary>A frame of the client with a DNS message.</summary>
    public static byte[] Frame(byte[] message, string server = "198.51.100.1", ushort sourcePort = 4000) => server.Contains(':', StringComparison.Ordinal)
        ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", server).Udp(sourcePort, 53).Payload(message).Build()
        : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", server).Udp(sourcePort, 53).Payload(message).Build();

    /// <summary>Answers without an engine, from the compiled table.</summary>
    public static PlainDns? Ask(NameTable table, byte[] query, bool isUdp = true)
    {
        byte[] target = new byte[isUdp ? 1232 : 65535];
        NameResponse response = NameResponder.Respond(table, query, target, target.Length, isUdp, new NameScratch(1));
        return response.Kind == NameResponseKind.Response ? PlainDns.Read(target[..response.Bytes]) : null;
    }
}
