namespace Dataplane.Packets;

/// <summary>The values of a neighbour advertisement message (RFC 4861, 4.4).</summary>
public readonly record struct NeighbourAdvertisementFields
{
    /// <summary>The address spoken for.</summary>
    public IpAddress Target { get; init; }

    /// <summary>Whether the sender is a router.</summary>
    public bool IsRouter { get; init; }

    /// <summary>Whether this answers a solicitation.</summary>
    public bool IsSolicited { get; init; }

    /// <summary>Whether the address replaces one already known.</summary>
    public bool IsOverride { get; init; }

    /// <summary>The Ethernet address of the target; null: no option.</summary>
    public MacAddress? TargetLinkLayerAddress { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes: 24 or 32.</summary>
    public int EmittedLength => NeighbourAdvertisementView.MinLengthBytes + NdMessage.LinkLayerBytes(TargetLinkLayerAddress);

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
        _ = NdMessage.EmitLinkLayer(message[NeighbourAdvertisementView.MinLengthBytes..], NdOptionKinds.TargetLinkLayerAddress, TargetLinkLayerAddress);
        uint flags = (IsRouter ? 0x8000_0000 : 0) | (IsSolicited ? 0x4000_0000u : 0) | (IsOverride ? 0x2000_0000u : 0);
        return NdMessage.Complete(message, Icmpv6Types.NeighbourAdvertisement, flags, source, destination);
    }
}
