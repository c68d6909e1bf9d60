namespace Dataplane.Packets;

/// <summary>The values of a neighbour discovery redirect message (RFC 4861, 4.5), without the redirected packet.</summary>
public readonly record struct NdRedirectFields
{
    /// <summary>The better first hop, or the destination itself when it is a neighbour.</summary>
    public IpAddress Target { get; init; }

    /// <summary>The destination that is redirected.</summary>
    public IpAddress Destination { get; init; }

    /// <summary>The Ethernet address of the target; null: no option.</summary>
    public MacAddress? TargetLinkLayerAddress { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes: 40 or 48.</summary>
    public int EmittedLength => NdRedirectView.MinLengthBytes + NdMessage.LinkLayerBytes(TargetLinkLayerAddress);

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
        Destination.Write(message[NdRedirectView.Field.Destination..]);
        _ = NdMessage.EmitLinkLayer(message[NdRedirectView.MinLengthBytes..], NdOptionKinds.TargetLinkLayerAddress, TargetLinkLayerAddress);
        return NdMessage.Complete(message, Icmpv6Types.Redirect, 0, source, destination);
    }
}
