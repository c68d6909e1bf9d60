using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Nat64;

/// <summary>Stateless translation on <see cref="TestPlane"/>: IPv6 servers behind "lan" with IPv4 addresses for "wan" (SIIT-DC), or IPv4 hosts there for whom IPv4 is behind "wan" (CLAT).</summary>
internal static class SiitNet
{
    public const string Prefix = "2001:db8:46::/96";

    public static readonly IpAddress Client = IpAddress.Parse("198.51.100.2"), Router = IpAddress.Parse("192.0.2.254");

    /// <summary>Servers 11 to 13 with IPv6, each with an IPv4 address for others.</summary>
    public static SiitSpec DataCentre { get; } = new()
    {
        Prefix = IpPrefix.Parse(Prefix),
        Mappings = [.. Enumerable.Range(11, 3).Select(host => Mapping($"192.0.2.{host}/32", $"2001:db8:2::{host}/128", SiitHosts.V6))],
        RouterAddresses = [Router],
    };

    /// <summary>Hosts of 10.1.0.0/24 with IPv4, each with an IPv6 address for others.</summary>
    public static SiitSpec Clat { get; } = new() { Prefix = IpPrefix.Parse(Prefix), Mappings = [Mapping("10.1.0.0/24", "2001:db8:c::/120", SiitHosts.V4)] };

    public static SiitMappingSpec Mapping(string v4, string v6, SiitHosts hosts) => new() { V4 = IpPrefix.Parse(v4), V6 = IpPrefix.Parse(v6), Hosts = hosts };

    public static IpAddress Behind(IpAddress v4) => IpAddress.Parse("2001:db8:46::" + v4);

    public static IpAddress V4(int host) => IpAddress.Parse($"192.0.2.{host}");

    public static IpAddress V6(int host) => IpAddress.Parse($"2001:db8:2::{host}");

    public static TestPlane Create(SiitSpec? spec = null, Action<DataplaneBuilder>? more = null, int workers = 1, int wanMtu = 1500) => TestPlane.Create(builder =>
    {
        builder.Siit(spec ?? DataCentre).Route("::/0", "2001:db8:1::2").Workers(settings => settings with { Count = workers });
        more?.Invoke(builder);
    }, wanMtu: wanMtu);

    /// <summary>From the client to a server, as it is sent and as it arrives.</summary>
    public static PacketBuilder FromClient(int host = 11, byte ttl = 64, byte tos = 0, ushort identification = 7, bool dontFragment = true, IpAddress? client = null) =>
        PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4((client ?? Client).ToString(), V4(host).ToString(), ttl, tos, identification, dontFragment);

    /// <inheritdoc cref="FromClient"/>
    public static PacketBuilder AtServer(int host = 11, byte ttl = 63, byte tos = 0, IpAddress? client = null) =>
        PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ipv6(Behind(client ?? Client).ToString(), V6(host).ToString(), ttl, tos);

    /// <summary>From a server to the client, as it is sent and as it arrives.</summary>
    public static PacketBuilder FromServer(int host = 11, byte ttl = 64, byte tos = 0, IpAddress? client = null) =>
        PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6(V6(host).ToString(), Behind(client ?? Client).ToString(), ttl, tos, flowLabel: 0x12345);

    /// <inheritdoc cref="FromServer"/>
    public static PacketBuilder AtClient(ushort identification, int host = 11, bool dontFragment = false, byte ttl = 63, byte tos = 0) =>
        PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ipv4(V4(host).ToString(), Client.ToString(), ttl, tos, identification, dontFragment);

    /// <summary>RFC 7915 as the tests know it, for one server.</summary>
    public static ReferenceTranslator Translator(IpAddress v6, IpAddress v4, int port)
    {
        byte[] inside = new byte[16], pool = new byte[4], prefix = new byte[16];
        v6.Write(inside);
        v4.Write(pool);
        Behind(Client).Write(prefix);
        return new ReferenceTranslator(inside, pool, prefix[..12], port, port);
    }
}
