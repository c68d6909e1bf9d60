namespace Dataplane.Packets;

/// <summary>The values of an IPv4 header (RFC 791), host order; version, lengths and checksum follow from them.</summary>
public readonly record struct Ipv4Fields
{
    /// <summary>Bytes <see cref="Emit(Span{byte})"/> writes (20), options not counted.</summary>
    public const int EmittedLength = Ipv4View.MinHeaderLengthBytes;

    private const int MaxOptionBytes = Ipv4View.MaxHeaderLengthBytes - Ipv4View.MinHeaderLengthBytes;

    /// <summary>Source address, IPv4.</summary>
    public IpAddress Source { get; init; }

    /// <summary>Destination address, IPv4.</summary>
    public IpAddress Destination { get; init; }

    /// <summary>Protocol of the payload, see <see cref="IpProtocols"/>.</summary>
    public byte Protocol { get; init; }

    /// <summary>Time to live.</summary>
    public byte Ttl { get; init; }

    /// <summary>Type of service: DSCP and ECN.</summary>
    public byte Tos { get; init; }

    /// <summary>What ties the fragments of a packet together.</summary>
    public ushort Identification { get; init; }

    /// <summary>Whether the packet must not be fragmented.</summary>
    public bool DontFragment { get; init; }

    /// <summary>Whether this is a fragment and not the last one.</summary>
    public bool MoreFragments { get; init; }

    /// <summary>Where the payload belongs in the whole packet, in bytes: a multiple of 8, 0 to 65,528.</summary>
    public int FragmentOffsetBytes { get; init; }

    /// <summary>Bytes behind the header: 0 to 65,515, less what options take.</summary>
    public int PayloadLengthBytes { get; init; }

    /// <summary>Writes a header without options, checksum included.</summary>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>, or a length the header cannot state.</exception>
    public int Emit(Span<byte> target) => Emit(target, []);

    /// <summary>Writes a header with options, checksum included; the options are padded with end-of-list to a multiple of four bytes.</summary>
    /// <returns>The bytes written, 20 to 60.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room, more than 40 bytes of options, or a length the header cannot state.</exception>
    public int Emit(Span<byte> target, ReadOnlySpan<byte> options)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Length, MaxOptionBytes, nameof(options));
        int headerLength = EmittedLength + ((options.Length + 3) & ~3);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)PayloadLengthBytes, (uint)(ushort.MaxValue - headerLength), nameof(PayloadLengthBytes));

        Span<byte> header = target[..headerLength];
        header[Ipv4View.Field.VersionIhl] = (byte)(0x40 | (headerLength >> 2));
        header[Ipv4View.Field.Tos] = Tos;
        NetworkOrder.WriteUInt16(header, Ipv4View.Field.TotalLength, (ushort)(headerLength + PayloadLengthBytes));
        NetworkOrder.WriteUInt16(header, Ipv4View.Field.Identification, Identification);
        int flags = (DontFragment ? 0x4000 : 0) | (MoreFragments ? 0x2000 : 0);
        NetworkOrder.WriteUInt16(header, Ipv4View.Field.FlagsAndOffset, (ushort)(flags | ((FragmentOffsetBytes >> 3) & 0x1FFF)));
        header[Ipv4View.Field.Ttl] = Ttl;
        header[Ipv4View.Field.Protocol] = Protocol;
        NetworkOrder.WriteUInt16(header, Ipv4View.Field.Checksum, 0);
        NetworkOrder.WriteUInt32(header, Ipv4View.Field.Source, (uint)Source.Low);
        NetworkOrder.WriteUInt32(header, Ipv4View.Field.Destination, (uint)Destination.Low);
        header[EmittedLength..].Clear();
        options.CopyTo(header[EmittedLength..]);
        NetworkOrder.WriteUInt16(header, Ipv4View.Field.Checksum, InternetChecksum.Compute(header));
        return headerLength;
    }
}
