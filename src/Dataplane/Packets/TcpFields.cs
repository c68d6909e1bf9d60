namespace Dataplane.Packets;

/// <summary>The values of a TCP header (RFC 9293) and of the options a SYN carries, host order.</summary>
public readonly record struct TcpFields
{
    /// <summary>Source port.</summary>
    public ushort SourcePort { get; init; }

    /// <summary>Destination port.</summary>
    public ushort DestinationPort { get; init; }

    /// <summary>Sequence number of the first byte of data, or of SYN.</summary>
    public uint SequenceNumber { get; init; }

    /// <summary>The next sequence number expected.</summary>
    public uint AcknowledgmentNumber { get; init; }

    /// <summary>The nine control bits.</summary>
    public TcpFlags Flags { get; init; }

    /// <summary>Receive window, not scaled.</summary>
    public ushort Window { get; init; }

    /// <summary>Urgent pointer.</summary>
    public ushort UrgentPointer { get; init; }

    /// <summary>Maximum segment size in bytes; null: no option.</summary>
    public ushort? MaxSegmentSize { get; init; }

    /// <summary>Window scale; null: no option.</summary>
    public byte? WindowScale { get; init; }

    /// <summary>Whether selective acknowledgments are permitted.</summary>
    public bool SackPermitted { get; init; }

    /// <summary>Timestamps; null: no option.</summary>
    public TcpTimestamps? Timestamps { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes: 20 and the options, a multiple of 4.</summary>
    public int EmittedLength => TcpView.MinHeaderLengthBytes + ((OptionBytes + 3) & ~3);

    private int OptionBytes => (MaxSegmentSize is null ? 0 : 4) + (SackPermitted ? 2 : 0) + (Timestamps is null ? 0 : 10) + (WindowScale is null ? 0 : 3);

    /// <summary>Writes the header and its options with checksum 0; <see cref="TcpEditor.FillChecksum"/> completes it once the data stands behind.</summary>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> target)
    {
        Span<byte> header = target[..EmittedLength];
        NetworkOrder.WriteUInt16(header, TcpView.Field.SourcePort, SourcePort);
        NetworkOrder.WriteUInt16(header, TcpView.Field.DestinationPort, DestinationPort);
        NetworkOrder.WriteUInt32(header, TcpView.Field.SequenceNumber, SequenceNumber);
        NetworkOrder.WriteUInt32(header, TcpView.Field.AcknowledgmentNumber, AcknowledgmentNumber);
        NetworkOrder.WriteUInt16(header, TcpView.Field.OffsetAndFlags, (ushort)((header.Length << 10) | ((int)Flags & TcpView.Field.FlagsMask)));
        NetworkOrder.WriteUInt16(header, TcpView.Field.Window, Window);
        NetworkOrder.WriteUInt16(header, TcpView.Field.Checksum, 0);
        NetworkOrder.WriteUInt16(header, TcpView.Field.UrgentPointer, UrgentPointer);
        EmitOptions(header[TcpView.MinHeaderLengthBytes..]);
        return header.Length;
    }

    private void EmitOptions(Span<byte> target)
    {
        int at = 0;
        if (MaxSegmentSize is { } size)
        {
            EmitKind(target, ref at, TcpOptionKinds.MaxSegmentSize, 4);
            NetworkOrder.WriteUInt16(target, at - 2, size);
        }

        if (SackPermitted)
        {
            EmitKind(target, ref at, TcpOptionKinds.SackPermitted, 2);
        }

        if (Timestamps is { } timestamps)
        {
            EmitKind(target, ref at, TcpOptionKinds.Timestamps, 10);
            NetworkOrder.WriteUInt32(target, at - 8, timestamps.Value);
            NetworkOrder.WriteUInt32(target, at - 4, timestamps.EchoReply);
        }

        if (WindowScale is { } shift)
        {
            EmitKind(target, ref at, TcpOptionKinds.WindowScale, 3);
            target[at - 1] = shift;
        }

        target[at..].Clear();
    }

    private static void EmitKind(Span<byte> target, ref int at, byte kind, int lengthBytes)
    {
        target[at] = kind;
        target[at + 1] = (byte)lengthBytes;
        at += lengthBytes;
    }
}
