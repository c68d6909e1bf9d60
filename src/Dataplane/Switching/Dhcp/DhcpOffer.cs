using System.Buffers.Binary;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Switching.Dhcp;

/// <summary>What the endpoints of an IPv4 subnet are told, but for the address: that is each one's own. Immutable.</summary>
internal sealed class DhcpOffer
{
    /// <summary>Identifiers have 7 bytes or, made by RFC 4361, 19 as a rule; what is longer would not fit beside the rest into what every client takes.</summary>
    public const int MostIdentifierBytes = 64;

    /// <summary>What is left for <see cref="Options"/>: an answer also has its kind, server, lease, the client's identifier and the end.</summary>
    public const int MostOptionBytes = DhcpWire.MostBytes - DhcpWire.FixedBytes - 3 - 6 - 6 - (2 + MostIdentifierBytes) - 1;

    private DhcpOffer(IpPrefix subnet, uint server, uint leaseSeconds, byte[] options)
    {
        Subnet = subnet;
        Server = server;
        LeaseSeconds = leaseSeconds;
        Options = options;
    }

    public IpPrefix Subnet { get; }

    /// <summary>The gateway, which answers.</summary>
    public uint Server { get; }

    public uint LeaseSeconds { get; }

    /// <summary>The options that are the same in every answer, without the end.</summary>
    public byte[] Options { get; }

    public static DhcpOffer Compile(NetworkSpec network, IpPrefix subnet, IReadOnlyList<IpAddress> nameServers) =>
        new(subnet, (uint)network.GatewayOf(subnet).Low, (uint)network.Dhcp!.Lease.TotalSeconds, [.. Build(network, subnet, nameServers)]);

    /// <summary>The options, however many bytes they make: the checks of the configuration see to it that they fit.</summary>
    public static IEnumerable<byte> Build(NetworkSpec network, IpPrefix subnet, IReadOnlyList<IpAddress> nameServers)
    {
        uint mask = uint.MaxValue << (32 - subnet.Length), gateway = (uint)network.GatewayOf(subnet).Low;
        byte[] names = [.. nameServers.Where(address => address.IsIpv4).SelectMany(address => Bytes((uint)address.Low))];
        byte[] search = [.. network.Search.SelectMany(name => DomainName.ToWire(DomainName.Normalise(name)))];
        return
        [
            .. Option(DhcpWire.Option.Mask, Bytes(mask)),

            // Before the router: who understands these routes must not look at that (RFC 3442).
            .. Option(DhcpWire.Option.ClasslessRoutes, [.. RoutesOf(network, subnet, gateway)]),
            .. Option(DhcpWire.Option.Router, network.Internal ? [] : Bytes(gateway)),
            .. Option(DhcpWire.Option.NameServer, names),
            .. Option(DhcpWire.Option.DomainName, network.Search.Count == 0 ? [] : System.Text.Encoding.ASCII.GetBytes(DomainName.Normalise(network.Search[0]))),
            .. Option(DhcpWire.Option.Mtu, [(byte)(network.Mtu >> 8), (byte)network.Mtu]),
            .. Option(DhcpWire.Option.Broadcast, Bytes((uint)subnet.Network.Address.Low | ~mask)),
            .. Option(DhcpWire.Option.Search, search),
        ];
    }

    /// <summary>Routes with the significant bytes of their prefixes (RFC 3442), those by routers of other subnets left out.</summary>
    private static IEnumerable<byte> RoutesOf(NetworkSpec network, IpPrefix subnet, uint gateway)
    {
        foreach (DhcpRouteSpec route in network.Dhcp!.Routes.Where(route => route.Via is not { } via || subnet.Contains(via)))
        {
            foreach (byte part in Route(route.To, route.Via is { } via ? (uint)via.Low : gateway))
            {
                yield return part;
            }
        }

        if (!network.Internal && !network.Dhcp.Routes.Any(route => route.To.Length == 0))
        {
            foreach (byte part in Route(IpPrefix.AllV4, gateway))
            {
                yield return part;
            }
        }
    }

    private static byte[] Route(IpPrefix to, uint via) => [(byte)to.Length, .. Bytes((uint)to.Address.Low)[..((to.Length + 7) / 8)], .. Bytes(via)];

    /// <summary>An option; none without a value. One that is longer than 255 bytes is refused with the rest.</summary>
    private static byte[] Option(byte kind, byte[] value) => value.Length == 0 ? [] : [kind, (byte)value.Length, .. value];

    private static byte[] Bytes(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
