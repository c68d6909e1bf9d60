namespace Dataplane.Packets;

/// <summary>The values of a neighbour solicitation message (RFC 4861, 4.3).</summary>
public readonly record struct NeighbourSolicitationFields
{
    /// <summary>The address asked for.</summary>
    public IpAddress Target { get; init; }

    /// <summary>The sender's Ethernet address; null: no option, required when the source is unspecified.</summary>
    public MacAddress? SourceLinkLayerAddress { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes: 24 or 32.</summary>
    public int EmittedLength => NeighbourSolicitationView.MinLengthBytes + NdMessage.LinkLayerBytes(SourceLinkLayerAddress);

    /// <summary>Writes the message, checksum included.</summary>
    /// <param name="target">Room for the message.</param>
    /// <param name="source">Source address of the packet.</param>
    /// <param name="destination">Destination address of the packet.</param>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> target, IpAddress source, IpAddress destination)
    {
        Span<byte> message = target[..EmittedLength];
        Target.Write(message[NdMessage.Target..]);
        _ = NdMessage.EmitLinkLayer(message[NeighbourSolicitationView.MinLengthBytes..], NdOptionKinds.SourceLinkLayerAddress, SourceLinkLayerAddress);
        return NdMessage.Complete(message, Icmpv6Types.NeighbourSolicitation, 0, source, destination);
    }
}
