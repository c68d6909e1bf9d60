namespace Dataplane.Packets;

/// <summary>Read-only view of a TCP segment (RFC 9293).</summary>
/// <remarks>
/// <code>
///  0                   1                   2                   3
/// +-------------------------------+-------------------------------+
/// |          Source port          |       Destination port        |
/// +-------------------------------+-------------------------------+
/// |                        Sequence number                        |
/// |                     Acknowledgment number                     |
/// +-------+-----+-----------------+-------------------------------+
/// | Offset| Rsv |      Flags      |            Window             |
/// +-------+-----+-----------------+-------------------------------+
/// |           Checksum            |        Urgent pointer         |
/// +-------------------------------+-------------------------------+
/// |                       Options, padding                        |
/// +---------------------------------------------------------------+
/// </code>
/// A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws. The guarantee ends when the
/// data-offset byte is changed. The checksum is not part of it.
/// </remarks>
public readonly ref struct TcpView
{
    /// <summary>Bytes of a header without options (20).</summary>
    public const int MinHeaderLengthBytes = 20;

    /// <summary>Bytes of the longest header (60).</summary>
    public const int MaxHeaderLengthBytes = 60;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _headerLength;

    private TcpView(ReadOnlySpan<byte> bytes, int headerLength)
    {
        _bytes = bytes;
        _headerLength = headerLength;
    }

    /// <summary>Source port.</summary>
    public ushort SourcePort => NetworkOrder.ReadUInt16(_bytes, Field.SourcePort);

    /// <summary>Destination port.</summary>
    public ushort DestinationPort => NetworkOrder.ReadUInt16(_bytes, Field.DestinationPort);

    /// <summary>Sequence number of the first byte of data, or of SYN.</summary>
    public uint SequenceNumber => NetworkOrder.ReadUInt32(_bytes, Field.SequenceNumber);

    /// <summary>The next sequence number expected; counts with <see cref="TcpFlags.Ack"/> only.</summary>
    public uint AcknowledgmentNumber => NetworkOrder.ReadUInt32(_bytes, Field.AcknowledgmentNumber);

    /// <summary>Header length in bytes, options included (20 to 60).</summary>
    public int HeaderLengthBytes => _headerLength;

    /// <summary>The nine control bits.</summary>
    public TcpFlags Flags => (TcpFlags)(NetworkOrder.ReadUInt16(_bytes, Field.OffsetAndFlags) & Field.FlagsMask);

    /// <summary>Receive window, not scaled.</summary>
    public ushort Window => NetworkOrder.ReadUInt16(_bytes, Field.Window);

    /// <summary>Checksum as stored.</summary>
    public ushort Checksum => NetworkOrder.ReadUInt16(_bytes, Field.Checksum);

    /// <summary>Urgent pointer; counts with <see cref="TcpFlags.Urg"/> only.</summary>
    public ushort UrgentPointer => NetworkOrder.ReadUInt16(_bytes, Field.UrgentPointer);

    /// <summary>Options and their padding, 0 to 40 bytes.</summary>
    public ReadOnlySpan<byte> Options => _bytes[MinHeaderLengthBytes.._headerLength];

    /// <summary>The options one by one.</summary>
    public TcpOptionEnumerator EnumeratedOptions => new(Options);

    /// <summary>The data.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[_headerLength..];

    /// <summary>Reads a segment.</summary>
    /// <param name="bytes">The whole payload of the IP packet; TCP has no length of its own.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when the header is cut off or its length impossible.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out TcpView view)
    {
        view = default;
        if (bytes.Length < MinHeaderLengthBytes)
        {
            return false;
        }

        int headerLength = bytes[Field.OffsetAndFlags] >> 4 << 2;
        if (headerLength < MinHeaderLengthBytes || headerLength > bytes.Length)
        {
            return false;
        }

        view = new TcpView(bytes, headerLength);
        return true;
    }

    /// <summary>Whether the segment adds up with its pseudo-header.</summary>
    /// <param name="source">Source address.</param>
    /// <param name="destination">Final destination address.</param>
    public bool IsChecksumValid(IpAddress source, IpAddress destination) =>
        InternetChecksum.Verify(_bytes, InternetChecksum.PseudoHeader(source, destination, IpProtocols.Tcp, (uint)_bytes.Length));

    /// <summary>The values of the header without checksum and other options than <see cref="TcpFields"/> knows; false when options are malformed.</summary>
    public bool TryGetFields(out TcpFields fields)
    {
        ushort? maxSegmentSize = null;
        byte? windowScale = null;
        TcpTimestamps? timestamps = null;
        bool sackPermitted = false;
        TcpOptionEnumerator options = EnumeratedOptions;
        while (options.MoveNext())
        {
            TcpOption option = options.Current;
            maxSegmentSize = option.TryGetMaxSegmentSize(out ushort size) ? size : maxSegmentSize;
            windowScale = option.TryGetWindowScale(out byte shift) ? shift : windowScale;
            timestamps = option.TryGetTimestamps(out TcpTimestamps times) ? times : timestamps;
            sackPermitted |= option.IsSackPermitted;
        }

        fields = options.IsMalformed ? default : new TcpFields
        {
            SourcePort = SourcePort,
            DestinationPort = DestinationPort,
            SequenceNumber = SequenceNumber,
            AcknowledgmentNumber = AcknowledgmentNumber,
            Flags = Flags,
            Window = Window,
            UrgentPointer = UrgentPointer,
            MaxSegmentSize = maxSegmentSize,
            WindowScale = windowScale,
            SackPermitted = sackPermitted,
            Timestamps = timestamps,
        };
        return !options.IsMalformed;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int SourcePort = 0, DestinationPort = 2, SequenceNumber = 4, AcknowledgmentNumber = 8, OffsetAndFlags = 12, Window = 14,
                         Checksum = 16, UrgentPointer = 18;
        public const int FlagsMask = 0x01FF;
    }
}
