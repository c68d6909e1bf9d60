namespace Dataplane.Packets;

/// <summary>The values of a router advertisement message (RFC 4861, 4.2), with up to one option of each kind.</summary>
public readonly record struct RouterAdvertisementFields
{
    /// <summary>The hop limit hosts should use; 0: unspecified.</summary>
    public byte HopLimit { get; init; }

    /// <summary>Whether addresses come by DHCPv6.</summary>
    public bool IsManaged { get; init; }

    /// <summary>Whether other settings come by DHCPv6.</summary>
    public bool HasOtherConfiguration { get; init; }

    /// <summary>How long the router is a default router, in seconds; 0: it is none.</summary>
    public ushort LifetimeSeconds { get; init; }

    /// <summary>How long a confirmed neighbour counts as reachable, in milliseconds; 0: unspecified.</summary>
    public uint ReachableTimeMs { get; init; }

    /// <summary>Time between solicitations, in milliseconds; 0: unspecified.</summary>
    public uint RetransTimerMs { get; init; }

    /// <summary>The router's Ethernet address; null: no option.</summary>
    public MacAddress? SourceLinkLayerAddress { get; init; }

    /// <summary>MTU of the link in bytes; null: no option.</summary>
    public uint? MtuBytes { get; init; }

    /// <summary>A prefix of the link; null: no option.</summary>
    public NdPrefixInformation? Prefix { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes: 16 and the options.</summary>
    public int EmittedLength => RouterAdvertisementView.MinLengthBytes + NdMessage.LinkLayerBytes(SourceLinkLayerAddress)
        + (MtuBytes is null ? 0 : NdOption.UnitBytes) + (Prefix is null ? 0 : NdPrefixInformation.LengthBytes);

    /// <summary>Writes the message, checksum included.</summary>
    /// <param name="target">Room for the message.</param>
    /// <param name="source">Source address of the packet.</param>
    /// <param name="destination">Destination address of the packet.</param>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> target, IpAddress source, IpAddress destination)
    {
        Span<byte> message = target[..EmittedLength];
        NetworkOrder.WriteUInt32(message, RouterAdvertisementView.Field.ReachableTime, ReachableTimeMs);
        NetworkOrder.WriteUInt32(message, RouterAdvertisementView.Field.RetransTimer, RetransTimerMs);
        Span<byte> rest = NdMessage.EmitLinkLayer(
            message[RouterAdvertisementView.MinLengthBytes..], NdOptionKinds.SourceLinkLayerAddress, SourceLinkLayerAddress);
        if (MtuBytes is { } mtu)
        {
            rest[0] = NdOptionKinds.Mtu;
            rest[1] = 1;
            NetworkOrder.WriteUInt16(rest, 2, 0);
            NetworkOrder.WriteUInt32(rest, 4, mtu);
            rest = rest[NdOption.UnitBytes..];
        }

        Prefix?.Emit(rest);
        uint header = ((uint)HopLimit << 24) | (IsManaged ? 0x0080_0000u : 0) | (HasOtherConfiguration ? 0x0040_0000u : 0) | LifetimeSeconds;
        return NdMessage.Complete(message, Icmpv6Types.RouterAdvertisement, header, source, destination);
    }
}
