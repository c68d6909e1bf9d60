namespace Dataplane.Packets;

/// <summary>In-place writer of an IPv6 fragment header (RFC 8200, 4.5).</summary>
public readonly ref struct Ipv6FragmentEditor
{
    private readonly Span<byte> _bytes;

    private Ipv6FragmentEditor(Span<byte> bytes) => _bytes = bytes;

    /// <summary>Type of the first header of the fragmented part.</summary>
    public byte NextHeader
    {
        get => _bytes[Ipv6FragmentView.Field.NextHeader];
        set => _bytes[Ipv6FragmentView.Field.NextHeader] = value;
    }

    /// <summary>Where the fragment's data belongs, in bytes; written without its low three bits.</summary>
    public int OffsetBytes
    {
        get => NetworkOrder.ReadUInt16(_bytes, Ipv6FragmentView.Field.OffsetAndFlags) & 0xFFF8;
        set => NetworkOrder.WriteUInt16(_bytes, Ipv6FragmentView.Field.OffsetAndFlags, (ushort)((value & 0xFFF8) | (MoreFragments ? 1 : 0)));
    }

    /// <summary>Whether more fragments follow.</summary>
    public bool MoreFragments
    {
        get => (_bytes[Ipv6FragmentView.Field.OffsetAndFlags + 1] & 1) != 0;
        set => NetworkOrder.WriteUInt16(_bytes, Ipv6FragmentView.Field.OffsetAndFlags, (ushort)(OffsetBytes | (value ? 1 : 0)));
    }

    /// <summary>What ties the fragments of a packet together.</summary>
    public uint Identification
    {
        get => NetworkOrder.ReadUInt32(_bytes, Ipv6FragmentView.Field.Identification);
        set => NetworkOrder.WriteUInt32(_bytes, Ipv6FragmentView.Field.Identification, value);
    }

    /// <summary>Makes an editor over the eight bytes of a fragment header; false when they are cut off.</summary>
    public static bool TryCreate(Span<byte> bytes, out Ipv6FragmentEditor editor)
    {
        bool valid = bytes.Length >= Ipv6FragmentView.LengthBytes;
        editor = valid ? new Ipv6FragmentEditor(bytes[..Ipv6FragmentView.LengthBytes]) : default;
        return valid;
    }
}
