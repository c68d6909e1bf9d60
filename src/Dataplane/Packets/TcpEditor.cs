using System.Buffers.Binary;

namespace Dataplane.Packets;

/// <summary>In-place writer of a TCP header (RFC 9293).</summary>
/// <remarks>Plain setters leave the checksum alone; call <see cref="FillChecksum"/> after them, or set through the members that adjust it.</remarks>
public readonly ref struct TcpEditor
{
    private readonly Span<byte> _bytes;
    private readonly int _headerLength;

    private TcpEditor(Span<byte> bytes, int headerLength)
    {
        _bytes = bytes;
        _headerLength = headerLength;
    }

    /// <summary>Source port.</summary>
    public ushort SourcePort
    {
        get => NetworkOrder.ReadUInt16(_bytes, TcpView.Field.SourcePort);
        set => NetworkOrder.WriteUInt16(_bytes, TcpView.Field.SourcePort, value);
    }

    /// <summary>Destination port.</summary>
    public ushort DestinationPort
    {
        get => NetworkOrder.ReadUInt16(_bytes, TcpView.Field.DestinationPort);
        set => NetworkOrder.WriteUInt16(_bytes, TcpView.Field.DestinationPort, value);
    }

    /// <summary>Sequence number.</summary>
    public uint SequenceNumber
    {
        get => NetworkOrder.ReadUInt32(_bytes, TcpView.Field.SequenceNumber);
        set => NetworkOrder.WriteUInt32(_bytes, TcpView.Field.SequenceNumber, value);
    }

    /// <summary>Acknowledgment number.</summary>
    public uint AcknowledgmentNumber
    {
        get => NetworkOrder.ReadUInt32(_bytes, TcpView.Field.AcknowledgmentNumber);
        set => NetworkOrder.WriteUInt32(_bytes, TcpView.Field.AcknowledgmentNumber, value);
    }

    /// <summary>The nine control bits; data offset and reserved bits stay.</summary>
    public TcpFlags Flags
    {
        get => (TcpFlags)(NetworkOrder.ReadUInt16(_bytes, TcpView.Field.OffsetAndFlags) & TcpView.Field.FlagsMask);
        set => NetworkOrder.WriteUInt16(
            _bytes,
            TcpView.Field.OffsetAndFlags,
            (ushort)((NetworkOrder.ReadUInt16(_bytes, TcpView.Field.OffsetAndFlags) & ~TcpView.Field.FlagsMask) | ((int)value & TcpView.Field.FlagsMask)));
    }

    /// <summary>Receive window, not scaled.</summary>
    public ushort Window
    {
        get => NetworkOrder.ReadUInt16(_bytes, TcpView.Field.Window);
        set => NetworkOrder.WriteUInt16(_bytes, TcpView.Field.Window, value);
    }

    /// <summary>Checksum as stored.</summary>
    public ushort Checksum
    {
        get => NetworkOrder.ReadUInt16(_bytes, TcpView.Field.Checksum);
        set => NetworkOrder.WriteUInt16(_bytes, TcpView.Field.Checksum, value);
    }

    /// <summary>Urgent pointer.</summary>
    public ushort UrgentPointer
    {
        get => NetworkOrder.ReadUInt16(_bytes, TcpView.Field.UrgentPointer);
        set => NetworkOrder.WriteUInt16(_bytes, TcpView.Field.UrgentPointer, value);
    }

    /// <summary>The data, writable.</summary>
    public Span<byte> Payload => _bytes[_headerLength..];

    /// <summary>Makes an editor over a segment <see cref="TcpView.TryParse"/> accepts.</summary>
    /// <returns>False for any other bytes.</returns>
    public static bool TryCreate(Span<byte> bytes, out TcpEditor editor)
    {
        bool valid = TcpView.TryParse(bytes, out TcpView view);
        editor = valid ? new TcpEditor(bytes, view.HeaderLengthBytes) : default;
        return valid;
    }

    /// <summary>Computes the checksum from the whole segment and its pseudo-header.</summary>
    public void FillChecksum(IpAddress source, IpAddress destination)
    {
        Checksum = 0;
        Checksum = InternetChecksum.Compute(_bytes, InternetChecksum.PseudoHeader(source, destination, IpProtocols.Tcp, (uint)_bytes.Length));
    }

    /// <summary>Applies a delta to the checksum (RFC 1624), such as the one an address change returned.</summary>
    public void AdjustChecksum(ushort delta) => Checksum = InternetChecksum.Adjust(Checksum, delta);

    /// <summary>Writes the source port and adjusts the checksum.</summary>
    public void ReplaceSourcePort(ushort port)
    {
        AdjustChecksum(InternetChecksum.Delta(SourcePort, port));
        SourcePort = port;
    }

    /// <summary>Writes the destination port and adjusts the checksum.</summary>
    public void ReplaceDestinationPort(ushort port)
    {
        AdjustChecksum(InternetChecksum.Delta(DestinationPort, port));
        DestinationPort = port;
    }

    /// <summary>Lowers the maximum segment size option to a limit and adjusts the checksum, as a gateway with a smaller MTU does.</summary>
    /// <param name="limitBytes">The largest segment allowed.</param>
    /// <returns>Whether an option was lowered; never true without SYN (RFC 9293, 3.7.1), and never does the value grow.</returns>
    public bool TryClampMaxSegmentSize(ushort limitBytes)
    {
        if ((Flags & TcpFlags.Syn) == 0)
        {
            return false;
        }

        ReadOnlySpan<byte> rest = _bytes[TcpView.MinHeaderLengthBytes.._headerLength];
        bool malformed = false;
        while (KindLengthOptions.TryNext(ref rest, out ReadOnlySpan<byte> option, ref malformed))
        {
            if (new TcpOption(option).TryGetMaxSegmentSize(out ushort size))
            {
                return size > limitBytes && ReplaceMaxSegmentSize(_headerLength - rest.Length - sizeof(ushort), size, limitBytes);
            }
        }

        return false;
    }

    private bool ReplaceMaxSegmentSize(int offset, ushort oldSize, ushort newSize)
    {
        ushort delta = InternetChecksum.Delta(oldSize, newSize);

        // Behind a single no-operation the value starts at an odd offset, where each of its bytes counts in the other half of a word.
        AdjustChecksum((offset & 1) == 0 ? delta : BinaryPrimitives.ReverseEndianness(delta));
        NetworkOrder.WriteUInt16(_bytes, offset, newSize);
        return true;
    }
}
