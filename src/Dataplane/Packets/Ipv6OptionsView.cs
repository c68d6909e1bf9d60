namespace Dataplane.Packets;

/// <summary>Read-only view of a hop-by-hop or destination options header (RFC 8200, 4.3 and 4.6).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws. The options themselves are
/// not checked: see <see cref="Ipv6OptionEnumerator.IsMalformed"/>.</remarks>
public readonly ref struct Ipv6OptionsView
{
    /// <summary>Bytes of the shortest header (8).</summary>
    public const int MinLengthBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private Ipv6OptionsView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Type of the header behind.</summary>
    public byte NextHeader => _bytes[Field.NextHeader];

    /// <summary>Bytes of this header, a multiple of 8 up to 2,048.</summary>
    public int HeaderLengthBytes => _bytes.Length;

    /// <summary>Options and padding.</summary>
    public ReadOnlySpan<byte> Options => _bytes[Field.Options..];

    /// <summary>The options one by one.</summary>
    public Ipv6OptionEnumerator EnumeratedOptions => new(Options);

    /// <summary>Reads a header; false when it is cut off.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv6OptionsView view)
    {
        bool valid = bytes.Length >= MinLengthBytes && bytes.Length >= (bytes[Field.Length] + 1) * MinLengthBytes;
        view = valid ? new Ipv6OptionsView(bytes[..((bytes[Field.Length] + 1) * MinLengthBytes)]) : default;
        return valid;
    }

    /// <summary>The values of the header without its options; always true.</summary>
    public bool TryGetFields(out Ipv6OptionsFields fields)
    {
        fields = new Ipv6OptionsFields { NextHeader = NextHeader };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int NextHeader = 0, Length = 1, Options = 2;
    }
}
