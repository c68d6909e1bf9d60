using Dataplane.Packets;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Nat;

/// <summary>The inside of <see cref="TestPlane"/> behind "lan", the outside behind "wan", in one address family, and packets on all four legs.</summary>
internal sealed class NatNet
{
    private readonly string _insidePrefix;

    private NatNet(string insidePrefix, string gateway, string outside)
    {
        _insidePrefix = insidePrefix;
        Gateway = IpAddress.Parse(gateway);
        Outside = IpAddress.Parse(outside);
    }

    /// <summary>The gateway's address outside, which everything seems to come from.</summary>
    public IpAddress Gateway { get; }

    /// <summary>The host outside.</summary>
    public IpAddress Outside { get; }

    public static NatNet Of(int family) => family == 4 ? new("10.1.0.", "198.51.100.1", "198.51.100.2") : new("2001:db8:2::", "2001:db8:1::1", "2001:db8:1::2");

    /// <summary>Host 11, 12 or 13 inside.</summary>
    public IpAddress Inside(int host) => IpAddress.Parse(_insidePrefix + host);

    public PacketBuilder FromInside(int host, byte ttl = 64) => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(Inside(host), Outside, ttl);

    public PacketBuilder AtOutside(IpAddress? source = null, byte ttl = 63) =>
        PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(source ?? Gateway, Outside, ttl);

    public PacketBuilder FromOutside(IpAddress? destination = null, byte ttl = 64) =>
        PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(Outside, destination ?? Gateway, ttl);

    public PacketBuilder AtInside(int host, byte ttl = 63) => PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(Outside, Inside(host), ttl);

    public static void Same(byte[] expected, byte[] actual) => Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(actual));
}
