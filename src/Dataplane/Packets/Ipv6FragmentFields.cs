namespace Dataplane.Packets;

/// <summary>The values of an IPv6 fragment header (RFC 8200, 4.5), host order.</summary>
public readonly record struct Ipv6FragmentFields
{
    /// <summary>Bytes <see cref="Emit"/> writes (8).</summary>
    public const int EmittedLength = Ipv6FragmentView.LengthBytes;

    /// <summary>Type of the first header of the fragmented part.</summary>
    public byte NextHeader { get; init; }

    /// <summary>Where the fragment's data belongs, in bytes: a multiple of 8, 0 to 65,528.</summary>
    public int OffsetBytes { get; init; }

    /// <summary>Whether more fragments follow.</summary>
    public bool MoreFragments { get; init; }

    /// <summary>What ties the fragments of a packet together.</summary>
    public uint Identification { get; init; }

    /// <summary>Writes the header, reserved bits zero.</summary>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> target)
    {
        NetworkOrder.WriteUInt32(target, Ipv6FragmentView.Field.Identification, Identification);
        NetworkOrder.WriteUInt16(target, Ipv6FragmentView.Field.OffsetAndFlags, (ushort)((OffsetBytes & 0xFFF8) | (MoreFragments ? 1 : 0)));
        target[Ipv6FragmentView.Field.NextHeader] = NextHeader;
        target[Ipv6FragmentView.Field.NextHeader + 1] = 0;
        return EmittedLength;
    }
}
