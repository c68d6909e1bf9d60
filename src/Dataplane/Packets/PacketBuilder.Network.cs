namespace Dataplane.Packets;

/// <content>Network layers: IPv4, IPv6 with extension headers, ARP.</content>
public sealed partial class PacketBuilder
{
    /// <summary>Appends an IPv4 header; protocol, lengths and checksum follow from what comes behind.</summary>
    /// <param name="fields">The other values; protocol and payload length in it are ignored.</param>
    /// <param name="options">Up to 40 bytes, padded with end-of-list.</param>
    /// <exception cref="ArgumentException">An address that is not IPv4.</exception>
    public PacketBuilder Ipv4(Ipv4Fields fields, ReadOnlySpan<byte> options = default)
    {
        RequireFamily(fields.Source, fields.Destination, IpFamily.V4);
        return AppendNetwork(new PacketLayers.V4(fields, options.ToArray()));
    }

    /// <summary>Appends an IPv4 header.</summary>
    /// <param name="source">Source address.</param>
    /// <param name="destination">Destination address.</param>
    /// <param name="ttl">Time to live.</param>
    /// <param name="tos">Type of service.</param>
    /// <param name="identification">What ties fragments together.</param>
    /// <param name="dontFragment">Whether the packet must not be fragmented.</param>
    /// <exception cref="FormatException">An address cannot be read.</exception>
    /// <exception cref="ArgumentException">An address that is not IPv4.</exception>
    public PacketBuilder Ipv4(string source, string destination, byte ttl = 64, byte tos = 0, ushort identification = 0, bool dontFragment = false) =>
        Ipv4(new Ipv4Fields
        {
            Source = IpAddress.Parse(source),
            Destination = IpAddress.Parse(destination),
            Ttl = ttl,
            Tos = tos,
            Identification = identification,
            DontFragment = dontFragment,
        });

    /// <summary>Appends an IPv6 header; next header and length follow from what comes behind.</summary>
    /// <param name="fields">The other values; next header and payload length in it are ignored.</param>
    /// <exception cref="ArgumentException">An address that is not IPv6.</exception>
    public PacketBuilder Ipv6(Ipv6Fields fields)
    {
        RequireFamily(fields.Source, fields.Destination, IpFamily.V6);
        return AppendNetwork(new PacketLayers.V6(fields));
    }

    /// <summary>Appends an IPv6 header.</summary>
    /// <param name="source">Source address.</param>
    /// <param name="destination">Destination address.</param>
    /// <param name="hopLimit">Hop limit.</param>
    /// <param name="trafficClass">Traffic class.</param>
    /// <param name="flowLabel">Flow label, 20 bits.</param>
    /// <exception cref="FormatException">An address cannot be read.</exception>
    /// <exception cref="ArgumentException">An address that is not IPv6.</exception>
    public PacketBuilder Ipv6(string source, string destination, byte hopLimit = 64, byte trafficClass = 0, uint flowLabel = 0) =>
        Ipv6(new Ipv6Fields
        {
            Source = IpAddress.Parse(source),
            Destination = IpAddress.Parse(destination),
            HopLimit = hopLimit,
            TrafficClass = trafficClass,
            FlowLabel = flowLabel,
        });

    /// <summary>Appends a header of the family both addresses have, IPv4 or IPv6.</summary>
    /// <param name="source">Source address.</param>
    /// <param name="destination">Destination address, of the same family.</param>
    /// <param name="ttl">TTL or hop limit.</param>
    /// <exception cref="ArgumentException">Addresses of different families.</exception>
    public PacketBuilder Ip(IpAddress source, IpAddress destination, byte ttl = 64) => source.IsIpv4
        ? Ipv4(new Ipv4Fields { Source = source, Destination = destination, Ttl = ttl })
        : Ipv6(new Ipv6Fields { Source = source, Destination = destination, HopLimit = ttl });

    /// <summary>Appends an IPv6 hop-by-hop options header, padded.</summary>
    /// <param name="options">Options, each with type and length; empty for padding only.</param>
    public PacketBuilder HopByHop(ReadOnlySpan<byte> options = default) => AppendExtension(new PacketLayers.Options(IpProtocols.HopByHop, options.ToArray()));

    /// <summary>Appends an IPv6 destination options header, padded.</summary>
    /// <param name="options">Options, each with type and length; empty for padding only.</param>
    public PacketBuilder DestinationOptions(ReadOnlySpan<byte> options = default) =>
        AppendExtension(new PacketLayers.Options(IpProtocols.DestinationOptions, options.ToArray()));

    /// <summary>Appends an IPv6 routing header; with segments left, upper-layer checksums use its last address (RFC 8200, 8.1).</summary>
    /// <param name="routingType">0, 2 or 4 for types whose addresses are understood, or another.</param>
    /// <param name="segmentsLeft">Nodes still to be visited.</param>
    /// <param name="data">Type-specific data behind the four fixed bytes.</param>
    public PacketBuilder Routing(byte routingType, byte segmentsLeft, ReadOnlySpan<byte> data)
    {
        var routing = new PacketLayers.Routing(new Ipv6RoutingFields { RoutingType = routingType, SegmentsLeft = segmentsLeft }, data.ToArray());
        AppendExtension(routing);
        routing.Route(RequireNetwork(nameof(Routing)));
        return this;
    }

    /// <summary>Appends an IPv6 fragment header; see <see cref="BuildFragments"/> for whole packets in fragments.</summary>
    /// <param name="offsetBytes">Where the data belongs, a multiple of 8.</param>
    /// <param name="moreFragments">Whether more fragments follow.</param>
    /// <param name="identification">What ties the fragments together.</param>
    public PacketBuilder Fragment(int offsetBytes, bool moreFragments, uint identification) =>
        AppendExtension(new PacketLayers.Fragment(
            new Ipv6FragmentFields { OffsetBytes = offsetBytes, MoreFragments = moreFragments, Identification = identification }));

    /// <summary>Appends an IPsec authentication header, of IPv4 or IPv6; the value is not computed.</summary>
    /// <param name="securityParametersIndex">Security parameters index.</param>
    /// <param name="sequenceNumber">Sequence number.</param>
    /// <param name="integrityCheckValue">The value, padded to a multiple of 4 bytes.</param>
    public PacketBuilder Authentication(uint securityParametersIndex, uint sequenceNumber, ReadOnlySpan<byte> integrityCheckValue)
    {
        _ = RequireNetwork(nameof(Authentication));
        var fields = new AuthenticationFields { SecurityParametersIndex = securityParametersIndex, SequenceNumber = sequenceNumber };
        return Append(new PacketLayers.Authentication(fields, integrityCheckValue.ToArray()));
    }

    /// <summary>Appends an ARP packet; nothing can follow it.</summary>
    public PacketBuilder Arp(ArpFields fields)
    {
        byte[] bytes = new byte[ArpFields.EmittedLength];
        fields.Emit(bytes);
        return Append(new PacketLayers.Bytes(bytes, EtherTypes.Arp));
    }

    /// <summary>Appends an ARP request from the frame's source.</summary>
    /// <param name="sender">IPv4 address of the asker.</param>
    /// <param name="target">IPv4 address asked for.</param>
    /// <exception cref="FormatException">An address cannot be read.</exception>
    /// <exception cref="InvalidOperationException">The packet has no Ethernet header.</exception>
    public PacketBuilder ArpRequest(string sender, string target) => Arp(new ArpFields
    {
        Operation = ArpOperation.Request,
        SenderMac = RequireLink().Source,
        SenderAddress = IpAddress.Parse(sender),
        TargetAddress = IpAddress.Parse(target),
    });

    /// <summary>Appends an ARP reply from the frame's source.</summary>
    /// <param name="sender">IPv4 address that was asked for.</param>
    /// <param name="targetMac">Hardware address of the asker.</param>
    /// <param name="target">IPv4 address of the asker.</param>
    /// <exception cref="FormatException">An address cannot be read.</exception>
    /// <exception cref="InvalidOperationException">The packet has no Ethernet header.</exception>
    public PacketBuilder ArpReply(string sender, string targetMac, string target) => Arp(new ArpFields
    {
        Operation = ArpOperation.Reply,
        SenderMac = RequireLink().Source,
        SenderAddress = IpAddress.Parse(sender),
        TargetMac = MacAddress.Parse(targetMac),
        TargetAddress = IpAddress.Parse(target),
    });

    private static void RequireFamily(IpAddress source, IpAddress destination, IpFamily family)
    {
        if (source.Family != family || destination.Family != family)
        {
            throw new ArgumentException($"Both addresses must be {(family == IpFamily.V4 ? "IPv4" : "IPv6")}; they are '{source}' and '{destination}'.");
        }
    }

    private PacketBuilder AppendNetwork(PacketLayers.Network network)
    {
        Append(network);
        _network = network;
        return this;
    }

    private PacketBuilder AppendExtension(PacketLayer extension)
    {
        if (_network is not PacketLayers.V6)
        {
            throw new InvalidOperationException("Extension headers stand behind an Ipv6 layer; add it first.");
        }

        return Append(extension);
    }

    private PacketLayers.Link RequireLink() =>
        _link ?? throw new InvalidOperationException("The sender's hardware address is that of the frame; begin with Ethernet, or use Arp with all fields.");
}
