namespace Dataplane.Packets;

/// <summary>The values of a hop-by-hop or destination options header (RFC 8200, 4.3 and 4.6); options are given when it is written.</summary>
public readonly record struct Ipv6OptionsFields
{
    /// <summary>The most option bytes one header holds, padding included (2,046).</summary>
    public const int MaxOptionBytes = (256 * Ipv6OptionsView.MinLengthBytes) - Ipv6OptionsView.Field.Options;

    /// <summary>Type of the header behind.</summary>
    public byte NextHeader { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes for so many option bytes: the next multiple of 8.</summary>
    public static int EmittedLength(int optionBytes) => (Ipv6OptionsView.Field.Options + optionBytes + 7) & ~7;

    /// <summary>Writes the header, padded with Pad1 or PadN to a multiple of 8 bytes.</summary>
    /// <param name="target">Room for the header.</param>
    /// <param name="options">Options, each with type and length.</param>
    /// <returns>The bytes written.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room, or more than <see cref="MaxOptionBytes"/>.</exception>
    public int Emit(Span<byte> target, ReadOnlySpan<byte> options)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Length, MaxOptionBytes, nameof(options));
        Span<byte> header = target[..EmittedLength(options.Length)];
        header[Ipv6OptionsView.Field.NextHeader] = NextHeader;
        header[Ipv6OptionsView.Field.Length] = (byte)((header.Length / Ipv6OptionsView.MinLengthBytes) - 1);
        options.CopyTo(header[Ipv6OptionsView.Field.Options..]);
        Span<byte> padding = header[(Ipv6OptionsView.Field.Options + options.Length)..];
        padding.Clear();
        if (padding.Length >= 2)
        {
            padding[0] = Ipv6OptionKinds.PadN;
            padding[1] = (byte)(padding.Length - 2);
        }

        return header.Length;
    }
}
