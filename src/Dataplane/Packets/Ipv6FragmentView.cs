namespace Dataplane.Packets;

/// <summary>Read-only view of an IPv6 fragment header (RFC 8200, 4.5).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws.</remarks>
public readonly ref struct Ipv6FragmentView
{
    /// <summary>Bytes of the header (8).</summary>
    public const int LengthBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private Ipv6FragmentView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Type of the first header of the fragmented part, in every fragment that of the first.</summary>
    public byte NextHeader => _bytes[Field.NextHeader];

    /// <summary>Where the fragment's data belongs, in bytes: a multiple of 8 up to 65,528.</summary>
    public int OffsetBytes => NetworkOrder.ReadUInt16(_bytes, Field.OffsetAndFlags) & 0xFFF8;

    /// <summary>Whether more fragments follow.</summary>
    public bool MoreFragments => (_bytes[Field.OffsetAndFlags + 1] & 1) != 0;

    /// <summary>What ties the fragments of a packet together.</summary>
    public uint Identification => NetworkOrder.ReadUInt32(_bytes, Field.Identification);

    /// <summary>Whether this is a whole packet (an atomic fragment, RFC 6946), the first fragment or a later one.</summary>
    public FragmentKind Fragment => OffsetBytes != 0 ? FragmentKind.Later : MoreFragments ? FragmentKind.First : FragmentKind.None;

    /// <summary>Reads a header; false when it is cut off.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv6FragmentView view)
    {
        bool valid = bytes.Length >= LengthBytes;
        view = valid ? new Ipv6FragmentView(bytes[..LengthBytes]) : default;
        return valid;
    }

    /// <summary>The values of the header, reserved bits left out; always true.</summary>
    public bool TryGetFields(out Ipv6FragmentFields fields)
    {
        fields = new Ipv6FragmentFields
        {
            NextHeader = NextHeader,
            OffsetBytes = OffsetBytes,
            MoreFragments = MoreFragments,
            Identification = Identification,
        };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int NextHeader = 0, OffsetAndFlags = 2, Identification = 4;
    }
}
