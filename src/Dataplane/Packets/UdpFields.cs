namespace Dataplane.Packets;

/// <summary>The values of a UDP header (RFC 768), host order.</summary>
public readonly record struct UdpFields
{
    /// <summary>Bytes <see cref="Emit"/> writes (8).</summary>
    public const int EmittedLength = UdpView.HeaderLengthBytes;

    /// <summary>Source port; 0 when no reply is wanted.</summary>
    public ushort SourcePort { get; init; }

    /// <summary>Destination port.</summary>
    public ushort DestinationPort { get; init; }

    /// <summary>Bytes of data behind the header, 0 to 65,527.</summary>
    public int PayloadLengthBytes { get; init; }

    /// <summary>Writes the header without checksum (0); <see cref="UdpEditor.FillChecksum"/> completes it once the data stands behind.</summary>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>, or a payload length the header cannot state.</exception>
    public int Emit(Span<byte> target)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)PayloadLengthBytes, (uint)(ushort.MaxValue - EmittedLength), nameof(PayloadLengthBytes));
        Span<byte> header = target[..EmittedLength];
        NetworkOrder.WriteUInt16(header, UdpView.Field.SourcePort, SourcePort);
        NetworkOrder.WriteUInt16(header, UdpView.Field.DestinationPort, DestinationPort);
        NetworkOrder.WriteUInt16(header, UdpView.Field.Length, (ushort)(EmittedLength + PayloadLengthBytes));
        NetworkOrder.WriteUInt16(header, UdpView.Field.Checksum, 0);
        return EmittedLength;
    }
}
