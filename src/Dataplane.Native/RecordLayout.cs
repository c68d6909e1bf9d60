namespace Dataplane.Native;

/// <summary>Where <see cref="ClassTables"/> finds the fields of a packet in its record; all in the machine's byte order.</summary>
internal readonly record struct RecordLayout
{
    private const int AddressBytes = 16;

    /// <summary>Describes a record.</summary>
    /// <param name="recordBytes">Length of a record.</param>
    /// <param name="sourceOffset">Where the source address is: its upper, then its lower 64 bits, in which IPv4 stands.</param>
    /// <param name="destinationOffset">Where the destination address is.</param>
    /// <param name="transportOffset">
    /// Where a 64-bit number is with the source port in its first and the destination port in its second 16 bits from the top, the protocol in bits 8 to 15 and
    /// the family below, 4 for IPv4.
    /// </param>
    /// <param name="headerOffset">Where a 16-bit number is that is 0 when there is no transport header.</param>
    /// <param name="fragmentOffset">Where a byte is that says which fragment of a packet this is.</param>
    /// <param name="laterFragment">What it says of one without the transport header.</param>
    /// <exception cref="ArgumentOutOfRangeException">A field lies outside the record.</exception>
    public RecordLayout(int recordBytes, int sourceOffset, int destinationOffset, int transportOffset, int headerOffset, int fragmentOffset, byte laterFragment)
    {
        ReadOnlySpan<(int Offset, int Bytes)> fields =
        [
            (sourceOffset, AddressBytes), (destinationOffset, AddressBytes), (transportOffset, sizeof(ulong)), (headerOffset, sizeof(ushort)),
                (fragmentOffset, 1),
        ];
        foreach ((int offset, int bytes) in fields)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(offset);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, recordBytes);
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(recordBytes, ushort.MaxValue);
        (RecordBytes, SourceOffset, DestinationOffset, TransportOffset) = (recordBytes, sourceOffset, destinationOffset, transportOffset);
        (HeaderOffset, FragmentOffset, LaterFragment) = (headerOffset, fragmentOffset, laterFragment);
    }

    /// <summary>Length of a record in bytes.</summary>
    public int RecordBytes { get; }

    /// <summary>Where the source address is.</summary>
    public int SourceOffset { get; }

    /// <summary>Where the destination address is.</summary>
    public int DestinationOffset { get; }

    /// <summary>Where ports, protocol and family are.</summary>
    public int TransportOffset { get; }

    /// <summary>Where it is said whether there is a transport header.</summary>
    public int HeaderOffset { get; }

    /// <summary>Where it is said which fragment this is.</summary>
    public int FragmentOffset { get; }

    /// <summary>The fragment without the transport header.</summary>
    public byte LaterFragment { get; }
}
