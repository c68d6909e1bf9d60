using Dataplane.Packets;

namespace Dataplane.Tests.Conformance;

/// <summary>An ICMP error in both families: type and code.</summary>
internal readonly record struct IcmpError(byte Type4, byte Code4, byte Type6, byte Code6)
{
    public static readonly IcmpError NoRoute = new(3, 0, 1, 0);
    public static readonly IcmpError HostUnreachable = new(3, 1, 1, 3);
    public static readonly IcmpError RouteUnreachable = new(3, 1, 1, 0);
    public static readonly IcmpError Prohibited = new(3, 13, 1, 1);
    public static readonly IcmpError PortUnreachable = new(3, 3, 1, 4);
    public static readonly IcmpError ProtocolUnreachable = new(3, 2, 4, 1);
    public static readonly IcmpError TooBig = new(3, 4, 2, 0);
    public static readonly IcmpError TimeExceeded = new(11, 0, 3, 0);
    public static readonly IcmpError ReassemblyTimeExceeded = new(11, 1, 3, 1);
    public static readonly IcmpError ParameterProblem = new(12, 0, 4, 0);
}

/// <content>ICMP.</content>
internal sealed partial class CaseScript
{
    /// <summary>An ICMP error about a packet.</summary>
    /// <param name="packet">Up to the IP header.</param>
    /// <param name="error">What it says.</param>
    /// <param name="about">The frame it is about, as the sender of the error has seen it.</param>
    /// <param name="rest">Second word: MTU or pointer.</param>
    /// <param name="quotedBytes">How much of it is quoted.</param>
    public PacketBuilder Error(PacketBuilder packet, IcmpError error, byte[] about, uint rest = 0, int quotedBytes = int.MaxValue)
    {
        byte[] quoted = about[14..Math.Min(about.Length, (int)Math.Min(14L + quotedBytes, int.MaxValue))];
        return (IsV4
            ? packet.Icmpv4(new Icmpv4Fields { Type = error.Type4, Code = error.Code4, RestOfHeader = rest })
            : packet.Icmpv6(new Icmpv6Fields { Type = error.Type6, Code = error.Code6, RestOfHeader = rest })).Payload(quoted);
    }

    /// <summary>What the gateway itself says to the outside about a packet: precedence 6 (RFC 1812 4.3.2.5), up to 576 bytes (4.3.2.3); over IPv6 up to 1280 (RFC 4443 2.4 c).</summary>
    public byte[] OwnErrorToWan(IcmpError error, byte[] about, uint rest = 0) =>
        OwnError(PacketBuilder.Ethernet(ConformanceWorld.WanMac, ConformanceWorld.ClientMac), Gateway, error, about, rest);

    /// <summary>The same to the inside.</summary>
    public byte[] OwnErrorToLan(IcmpError error, byte[] about, uint rest = 0) =>
        OwnError(PacketBuilder.Ethernet(ConformanceWorld.LanMac, ConformanceWorld.ServerMac), LanGateway, error, about, rest);

    private byte[] OwnError(PacketBuilder link, IpAddress from, IcmpError error, byte[] about, uint rest)
    {
        IpAddress to = IsV4 ? IpAddress.ReadV4(about.AsSpan(26)) : IpAddress.ReadV6(about.AsSpan(22));
        PacketBuilder packet = IsV4
            ? link.Ipv4(from.ToString(), to.ToString(), ttl: 64, tos: 0xC0, identification: 0, dontFragment: true)
            : link.Ipv6(from.ToString(), to.ToString(), 64);
        return Error(packet, error, about, rest, IsV4 ? 576 - 28 : 1280 - 48).Build();
    }
}
