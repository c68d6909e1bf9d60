namespace Dataplane.Packets;

/// <content>Transport layers and ICMP.</content>
public sealed partial class PacketBuilder
{
    /// <summary>Appends a TCP header, checksum included.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder Tcp(TcpFields fields) => Append(new PacketLayers.Tcp(fields, RequireNetwork(nameof(Tcp))));

    /// <summary>Appends a TCP header, checksum included.</summary>
    /// <param name="sourcePort">Source port.</param>
    /// <param name="destinationPort">Destination port.</param>
    /// <param name="flags">Control bits.</param>
    /// <param name="sequenceNumber">Sequence number.</param>
    /// <param name="acknowledgmentNumber">Acknowledgment number.</param>
    /// <param name="window">Receive window.</param>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder Tcp(
        ushort sourcePort,
        ushort destinationPort,
        TcpFlags flags = TcpFlags.Syn,
        uint sequenceNumber = 0,
        uint acknowledgmentNumber = 0,
        ushort window = 65535) =>
        Tcp(new TcpFields
        {
            SourcePort = sourcePort,
            DestinationPort = destinationPort,
            Flags = flags,
            SequenceNumber = sequenceNumber,
            AcknowledgmentNumber = acknowledgmentNumber,
            Window = window,
        });

    /// <summary>Appends a UDP header.</summary>
    /// <param name="sourcePort">Source port.</param>
    /// <param name="destinationPort">Destination port.</param>
    /// <param name="checksum">False leaves the checksum 0, "none".</param>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder Udp(ushort sourcePort, ushort destinationPort, bool checksum = true) =>
        Append(new PacketLayers.Udp(new UdpFields { SourcePort = sourcePort, DestinationPort = destinationPort }, checksum, RequireNetwork(nameof(Udp))));

    /// <summary>Appends an ICMP header for IPv4; the message goes on with a payload, such as a quoted packet.</summary>
    public PacketBuilder Icmpv4(Icmpv4Fields fields) => Append(new PacketLayers.IcmpMessage(fields));

    /// <summary>Appends an ICMPv6 header; the message goes on with a payload, such as a quoted packet.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder Icmpv6(Icmpv6Fields fields) => Append(new PacketLayers.Icmpv6Message(fields, RequireNetwork(nameof(Icmpv6))));

    /// <summary>Appends an echo request of the IP layer's family.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder EchoRequest(ushort identifier, ushort sequenceNumber) => RequireNetwork(nameof(EchoRequest)) is PacketLayers.V4
        ? Icmpv4(Icmpv4Fields.EchoRequest(identifier, sequenceNumber))
        : Icmpv6(Icmpv6Fields.EchoRequest(identifier, sequenceNumber));

    /// <summary>Appends an echo reply of the IP layer's family.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder EchoReply(ushort identifier, ushort sequenceNumber) => RequireNetwork(nameof(EchoReply)) is PacketLayers.V4
        ? Icmpv4(Icmpv4Fields.EchoReply(identifier, sequenceNumber))
        : Icmpv6(Icmpv6Fields.EchoReply(identifier, sequenceNumber));

    /// <summary>Appends a neighbour solicitation; nothing can follow it. The IPv6 layer should have hop limit 255.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder NeighbourSolicitation(NeighbourSolicitationFields fields)
    {
        PacketLayers.Network network = RequireNetwork(nameof(NeighbourSolicitation));
        byte[] bytes = new byte[fields.EmittedLength];
        fields.Emit(bytes, network.Source, network.FinalDestination);
        return AppendIcmpv6Bytes(bytes);
    }

    /// <summary>Appends a neighbour advertisement; nothing can follow it. The IPv6 layer should have hop limit 255.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder NeighbourAdvertisement(NeighbourAdvertisementFields fields)
    {
        PacketLayers.Network network = RequireNetwork(nameof(NeighbourAdvertisement));
        byte[] bytes = new byte[fields.EmittedLength];
        fields.Emit(bytes, network.Source, network.FinalDestination);
        return AppendIcmpv6Bytes(bytes);
    }

    /// <summary>Appends a router solicitation; nothing can follow it. The IPv6 layer should have hop limit 255.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder RouterSolicitation(RouterSolicitationFields fields)
    {
        PacketLayers.Network network = RequireNetwork(nameof(RouterSolicitation));
        byte[] bytes = new byte[fields.EmittedLength];
        fields.Emit(bytes, network.Source, network.FinalDestination);
        return AppendIcmpv6Bytes(bytes);
    }

    /// <summary>Appends a router advertisement; nothing can follow it. The IPv6 layer should have hop limit 255.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder RouterAdvertisement(RouterAdvertisementFields fields)
    {
        PacketLayers.Network network = RequireNetwork(nameof(RouterAdvertisement));
        byte[] bytes = new byte[fields.EmittedLength];
        fields.Emit(bytes, network.Source, network.FinalDestination);
        return AppendIcmpv6Bytes(bytes);
    }

    /// <summary>Appends a neighbour discovery redirect; nothing can follow it. The IPv6 layer should have hop limit 255.</summary>
    /// <exception cref="InvalidOperationException">There is no IP layer.</exception>
    public PacketBuilder NdRedirect(NdRedirectFields fields)
    {
        PacketLayers.Network network = RequireNetwork(nameof(NdRedirect));
        byte[] bytes = new byte[fields.EmittedLength];
        fields.Emit(bytes, network.Source, network.FinalDestination);
        return AppendIcmpv6Bytes(bytes);
    }

    private PacketBuilder AppendIcmpv6Bytes(byte[] message) => Append(new PacketLayers.Bytes(message, protocol: IpProtocols.Icmpv6));
}
