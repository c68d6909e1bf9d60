namespace Dataplane.Packets;

/// <summary>Read-only view of an IPsec authentication header (RFC 4302), behind IPv4 or IPv6.</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws. Nothing is authenticated.</remarks>
public readonly ref struct AuthenticationView
{
    /// <summary>Bytes of the fixed part (12).</summary>
    public const int MinLengthBytes = 12;

    private readonly ReadOnlySpan<byte> _bytes;

    private AuthenticationView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Type of the header behind.</summary>
    public byte NextHeader => _bytes[Field.NextHeader];

    /// <summary>Bytes of this header, a multiple of 4 from 12 to 1,028.</summary>
    public int HeaderLengthBytes => _bytes.Length;

    /// <summary>Security parameters index.</summary>
    public uint SecurityParametersIndex => NetworkOrder.ReadUInt32(_bytes, Field.SecurityParametersIndex);

    /// <summary>Sequence number, the low 32 bits.</summary>
    public uint SequenceNumber => NetworkOrder.ReadUInt32(_bytes, Field.SequenceNumber);

    /// <summary>Integrity check value and its padding.</summary>
    public ReadOnlySpan<byte> IntegrityCheckValue => _bytes[Field.IntegrityCheckValue..];

    /// <summary>Reads a header; false when it is cut off or shorter than its fixed part.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out AuthenticationView view)
    {
        view = default;
        if (bytes.Length < MinLengthBytes)
        {
            return false;
        }

        // Units of 4 beyond the first two, so that the value fits IPv6's units of 8 (RFC 4302, 2.2).
        int length = (bytes[Field.Length] + 2) * 4;
        if (length < MinLengthBytes || length > bytes.Length)
        {
            return false;
        }

        view = new AuthenticationView(bytes[..length]);
        return true;
    }

    /// <summary>The values of the header without the integrity check value; always true.</summary>
    public bool TryGetFields(out AuthenticationFields fields)
    {
        fields = new AuthenticationFields { NextHeader = NextHeader, SecurityParametersIndex = SecurityParametersIndex, SequenceNumber = SequenceNumber };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int NextHeader = 0, Length = 1, Reserved = 2, SecurityParametersIndex = 4, SequenceNumber = 8, IntegrityCheckValue = 12;
    }
}
