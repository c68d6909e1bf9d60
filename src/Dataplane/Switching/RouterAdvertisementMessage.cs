using System.Buffers.Binary;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Switching;

/// <summary>Makes router advertisements of networks (RFC 4861 4.2, RFC 8106 5). Control side.</summary>
internal static class RouterAdvertisementMessage
{
    /// <summary>What fits into a packet on every link (RFC 8200 5): an advertisement in fragments would not be heard (RFC 6980).</summary>
    public const int MostBytes = 1280 - 40;

    /// <summary>RFC 4861 6.2.1: 30 days and 7 days.</summary>
    private const uint ValidSeconds = 2_592_000, PreferredSeconds = 604_800;
    private const byte DnsServers = 25, DnsSearch = 31;
    private const byte HopLimit = 64;

    public static ushort LifetimeSecondsOf(NetworkSpec network)
    {
        RouterAdvertisementSpec spec = network.RouterAdvertisements!;
        return (ushort)(spec.Lifetime?.TotalSeconds ?? (network.Internal ? 0 : Math.Ceiling(spec.Interval.TotalSeconds * 3)));
    }

    /// <summary>The message with a checksum of 0.</summary>
    public static byte[] Build(NetworkSpec network, IReadOnlyList<IpAddress> nameServers)
    {
        RouterAdvertisementSpec spec = network.RouterAdvertisements!;
        var fields = new RouterAdvertisementFields
        {
            HopLimit = HopLimit,
            IsManaged = spec.Managed || LinkSettings.AnswersDhcpv6(network),
            HasOtherConfiguration = spec.Other || LinkSettings.AnswersDhcpv6(network),
            LifetimeSeconds = LifetimeSecondsOf(network),
            SourceLinkLayerAddress = network.GatewayMac,
            MtuBytes = (uint)network.Mtu,
        };
        var message = new byte[fields.EmittedLength];
        fields.Emit(message, IpAddress.AnyV6, IpAddress.AnyV6);
        message.AsSpan(2, 2).Clear();
        return
        [
            .. message,
            .. network.Subnets.Where(subnet => subnet.Address.IsIpv6).SelectMany(subnet => Prefix(subnet, spec.Autonomous)),
            .. Servers(spec, [.. nameServers.Where(address => address.IsIpv6)]),
            .. Search(spec, network.Search),
        ];
    }

    private static byte[] Prefix(IpPrefix subnet, bool isAutonomous)
    {
        byte[] option = new byte[NdPrefixInformation.LengthBytes];
        new NdPrefixInformation
        {
            Prefix = subnet,
            OnLink = true,
            Autonomous = isAutonomous,
            ValidLifetimeSeconds = ValidSeconds,
            PreferredLifetimeSeconds = PreferredSeconds,
        }.Emit(option);
        return option;
    }

    private static byte[] Servers(RouterAdvertisementSpec spec, IpAddress[] servers)
    {
        if (servers.Length == 0)
        {
            return [];
        }

        byte[] option = Option(DnsServers, spec, servers.Length * 16);
        for (int i = 0; i < servers.Length; i++)
        {
            servers[i].Write(option.AsSpan(8 + (i * 16)));
        }

        return option;
    }

    private static byte[] Search(RouterAdvertisementSpec spec, IReadOnlyList<string> names)
    {
        byte[] wire = [.. names.SelectMany(name => DomainName.ToWire(DomainName.Normalise(name)))];
        if (wire.Length == 0)
        {
            return [];
        }

        byte[] option = Option(DnsSearch, spec, wire.Length);
        wire.CopyTo(option, 8);
        return option;
    }

    /// <summary>Kind, length in units of eight bytes and lifetime: as long as three advertisements may be apart (RFC 8106 5.1).</summary>
    private static byte[] Option(byte kind, RouterAdvertisementSpec spec, int bytes)
    {
        byte[] option = new byte[8 + ((bytes + 7) & ~7)];
        option[0] = kind;
        option[1] = (byte)(option.Length / 8);
        BinaryPrimitives.WriteUInt32BigEndian(option.AsSpan(4), (uint)Math.Ceiling(spec.Interval.TotalSeconds * 3));
        return option;
    }
}
