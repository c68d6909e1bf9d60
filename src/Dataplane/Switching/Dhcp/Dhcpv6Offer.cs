using System.Buffers.Binary;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Switching.Dhcp;

/// <summary>What the endpoints of a network with an IPv6 subnet are told by DHCPv6, but for the addresses: those are each one's own. Immutable.</summary>
internal sealed class Dhcpv6Offer
{
    private const ushort DuidByLinkAddress = 3, Ethernet = 1;

    private Dhcpv6Offer(uint leaseSeconds, byte[] server, byte[] options) => (LeaseSeconds, Server, Options) = (leaseSeconds, server, options);

    public uint LeaseSeconds { get; }

    /// <summary>Who answers: the gateway, by its hardware address (RFC 8415 11.4), so the same after every restart.</summary>
    public byte[] Server { get; }

    /// <summary>The options that are the same in every answer: name servers and search list (RFC 3646).</summary>
    public byte[] Options { get; }

    public static Dhcpv6Offer Compile(NetworkSpec network, IReadOnlyList<IpAddress> nameServers)
    {
        byte[] server = new byte[10];
        BinaryPrimitives.WriteUInt16BigEndian(server, DuidByLinkAddress);
        BinaryPrimitives.WriteUInt16BigEndian(server.AsSpan(2), Ethernet);
        network.GatewayMac.Write(server.AsSpan(4));
        byte[] names = [.. nameServers.Where(address => address.IsIpv6).SelectMany(Bytes)];
        byte[] search = [.. network.Search.SelectMany(name => DomainName.ToWire(DomainName.Normalise(name)))];
        return new((uint)network.Dhcp!.Lease.TotalSeconds, server, [.. Option(Dhcpv6Wire.Option.NameServers, names), .. Option(Dhcpv6Wire.Option.Search, search)]);
    }

    private static byte[] Option(ushort code, byte[] value) => value.Length == 0 ? [] : [(byte)(code >> 8), (byte)code, (byte)(value.Length >> 8), (byte)value.Length, .. value];

    private static byte[] Bytes(IpAddress address)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, address.High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), address.Low);
        return bytes;
    }
}
