namespace Dataplane.Packets;

/// <summary>The values of an IPsec authentication header (RFC 4302), host order; the integrity check value is given when it is written.</summary>
public readonly record struct AuthenticationFields
{
    /// <summary>The most bytes of integrity check value one header holds (1,016).</summary>
    public const int MaxIntegrityBytes = (257 * 4) - AuthenticationView.MinLengthBytes;

    /// <summary>Type of the header behind.</summary>
    public byte NextHeader { get; init; }

    /// <summary>Security parameters index.</summary>
    public uint SecurityParametersIndex { get; init; }

    /// <summary>Sequence number, the low 32 bits.</summary>
    public uint SequenceNumber { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes for so many bytes of integrity check value: the next multiple of 4.</summary>
    public static int EmittedLength(int integrityBytes) => (AuthenticationView.MinLengthBytes + integrityBytes + 3) & ~3;

    /// <summary>Writes the header, padded with zeros to a multiple of 4 bytes; behind IPv6 the caller chooses a length that gives a multiple of 8.</summary>
    /// <returns>The bytes written.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room, or more than <see cref="MaxIntegrityBytes"/>.</exception>
    public int Emit(Span<byte> target, ReadOnlySpan<byte> integrityCheckValue)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(integrityCheckValue.Length, MaxIntegrityBytes, nameof(integrityCheckValue));
        Span<byte> header = target[..EmittedLength(integrityCheckValue.Length)];
        header[AuthenticationView.Field.NextHeader] = NextHeader;
        header[AuthenticationView.Field.Length] = (byte)((header.Length / 4) - 2);
        NetworkOrder.WriteUInt16(header, AuthenticationView.Field.Reserved, 0);
        NetworkOrder.WriteUInt32(header, AuthenticationView.Field.SecurityParametersIndex, SecurityParametersIndex);
        NetworkOrder.WriteUInt32(header, AuthenticationView.Field.SequenceNumber, SequenceNumber);
        header[AuthenticationView.Field.IntegrityCheckValue..].Clear();
        integrityCheckValue.CopyTo(header[AuthenticationView.Field.IntegrityCheckValue..]);
        return header.Length;
    }
}
