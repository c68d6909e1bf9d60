using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Nat64;

/// <summary>IPv6 hosts 11 to 13 behind "lan" of <see cref="TestPlane"/>, an IPv4 host behind "wan", and the prefix between them; packets on all four legs.</summary>
internal static class Nat64Net
{
    public const string Prefix = "2001:db8:64::/96";

    public static readonly IpAddress Gateway = IpAddress.Parse("198.51.100.1"), Server = IpAddress.Parse("198.51.100.2");

    public static readonly IpAddress Embedded = Behind(Server);

    public static IpAddress Behind(IpAddress v4) => IpAddress.Parse("2001:db8:64::" + v4);

    public static IpAddress Host(int host) => IpAddress.Parse($"2001:db8:2::{host}");

    public static NatSpec Rule(bool isMapped = true, NatFiltering filtering = NatFiltering.AddressAndPortDependent) => new()
    {
        Inside = "lan",
        Outside = "wan",
        Nat64 = IpPrefix.Parse(Prefix),
        Mapping = isMapped ? NatMapping.EndpointIndependent : NatMapping.AddressAndPortDependent,
        Filtering = filtering,
    };

    public static TestPlane Create(NatSpec? rule = null, int? workers = null, Action<DataplaneBuilder>? more = null, int wanMtu = 1500) => TestPlane.Create(builder =>
    {
        builder.Nat(rule ?? Rule()).Route("0.0.0.0/0", "198.51.100.2");
        if (workers is { } count)
        {
            builder.Workers(settings => settings with { Count = count });
        }

        more?.Invoke(builder);
    }, wanMtu: wanMtu);

    /// <summary>As an inside host sends it.</summary>
    public static PacketBuilder FromInside(int host = 11, IpAddress? remote = null, byte ttl = 64, byte tos = 0) => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac)
        .Ipv6(Host(host).ToString(), Behind(remote ?? Server).ToString(), ttl, tos, flowLabel: 0x12345);

    /// <summary>As it arrives outside.</summary>
    public static PacketBuilder AtOutside(ushort identification = 0, bool dontFragment = false, IpAddress? remote = null, byte ttl = 63, byte tos = 0) =>
        PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ipv4(Gateway.ToString(), (remote ?? Server).ToString(), ttl, tos, identification, dontFragment);

    /// <summary>As the outside sends it.</summary>
    public static PacketBuilder FromOutside(IpAddress? remote = null, byte ttl = 64, byte tos = 0, ushort identification = 7, bool dontFragment = true) =>
        PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4((remote ?? Server).ToString(), Gateway.ToString(), ttl, tos, identification, dontFragment);

    /// <summary>As it arrives at an inside host.</summary>
    public static PacketBuilder AtInside(int host = 11, IpAddress? remote = null, byte ttl = 63, byte tos = 0) =>
        PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ipv6(Behind(remote ?? Server).ToString(), Host(host).ToString(), ttl, tos);

    public static void Same(byte[] expected, byte[] actual) => Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(actual));

    /// <summary>The number that a packet which may be fragmented was given.</summary>
    public static ushort IdentificationOf(byte[] frame) => (ushort)ReferenceDecoder.Decode(frame).Identification;
}
