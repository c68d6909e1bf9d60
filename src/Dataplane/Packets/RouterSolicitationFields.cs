namespace Dataplane.Packets;

/// <summary>The values of a router solicitation message (RFC 4861, 4.1).</summary>
public readonly record struct RouterSolicitationFields
{
    /// <summary>The sender's Ethernet address; null: no option, required when the source is unspecified.</summary>
    public MacAddress? SourceLinkLayerAddress { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes: 8 or 16.</summary>
    public int EmittedLength => RouterSolicitationView.MinLengthBytes + NdMessage.LinkLayerBytes(SourceLinkLayerAddress);

    /// <summary>Writes the message, checksum included.</summary>
    /// <param name="target">Room for the message.</param>
    /// <param name="source">Source address of the packet.</param>
    /// <param name="destination">Destination address of the packet.</param>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> target, IpAddress source, IpAddress destination)
    {
        Span<byte> message = target[..EmittedLength];
        _ = NdMessage.EmitLinkLayer(message[RouterSolicitationView.MinLengthBytes..], NdOptionKinds.SourceLinkLayerAddress, SourceLinkLayerAddress);
        return NdMessage.Complete(message, Icmpv6Types.RouterSolicitation, 0, source, destination);
    }
}
