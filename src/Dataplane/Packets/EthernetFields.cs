namespace Dataplane.Packets;

/// <summary>The values of an Ethernet II header with up to two VLAN tags, host order.</summary>
public readonly record struct EthernetFields
{
    /// <summary>The most VLAN tags the fields hold (2).</summary>
    public const int MaxVlanTags = 2;

    /// <summary>Station the frame is for.</summary>
    public MacAddress Destination { get; init; }

    /// <summary>Station the frame is from.</summary>
    public MacAddress Source { get; init; }

    /// <summary>What the frame carries: 0x0600 to 0xFFFF and no VLAN TPID.</summary>
    public ushort EtherType { get; init; }

    /// <summary>The outer, or only, VLAN tag; null for an untagged frame.</summary>
    public VlanTag? Vlan { get; init; }

    /// <summary>The inner VLAN tag; ignored when <see cref="Vlan"/> is null.</summary>
    public VlanTag? InnerVlan { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes: 14, 18 or 22.</summary>
    public int EmittedLength => EthernetView.HeaderLengthBytes + (Vlan is null ? 0 : InnerVlan is null ? VlanTag.LengthBytes : 2 * VlanTag.LengthBytes);

    /// <summary>Writes the header.</summary>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> target)
    {
        Destination.Write(target[EthernetView.Field.Destination..]);
        Source.Write(target[EthernetView.Field.Source..]);
        int offset = EthernetView.Field.Type;
        if (Vlan is { } outer)
        {
            offset = EmitTag(target, offset, outer);
            if (InnerVlan is { } inner)
            {
                offset = EmitTag(target, offset, inner);
            }
        }

        NetworkOrder.WriteUInt16(target, offset, EtherType);
        return offset + 2;
    }

    private static int EmitTag(Span<byte> target, int offset, VlanTag tag)
    {
        NetworkOrder.WriteUInt16(target, offset, tag.Protocol);
        NetworkOrder.WriteUInt16(target, offset + 2, tag.Control);
        return offset + VlanTag.LengthBytes;
    }
}
