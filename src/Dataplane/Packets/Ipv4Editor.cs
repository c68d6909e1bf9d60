namespace Dataplane.Packets;

/// <summary>In-place writer of an IPv4 header (RFC 791).</summary>
/// <remarks>Plain setters leave the checksum alone; call <see cref="FillChecksum"/> after them, or set through the members that adjust it.</remarks>
public readonly ref struct Ipv4Editor
{
    private readonly Span<byte> _bytes;
    private readonly int _headerLength;

    private Ipv4Editor(Span<byte> bytes, int headerLength)
    {
        _bytes = bytes;
        _headerLength = headerLength;
    }

    /// <summary>Type of service: DSCP and ECN.</summary>
    public byte Tos
    {
        get => _bytes[Ipv4View.Field.Tos];
        set => _bytes[Ipv4View.Field.Tos] = value;
    }

    /// <summary>What ties the fragments of a packet together.</summary>
    public ushort Identification
    {
        get => NetworkOrder.ReadUInt16(_bytes, Ipv4View.Field.Identification);
        set => NetworkOrder.WriteUInt16(_bytes, Ipv4View.Field.Identification, value);
    }

    /// <summary>Time to live.</summary>
    public byte Ttl
    {
        get => _bytes[Ipv4View.Field.Ttl];
        set => _bytes[Ipv4View.Field.Ttl] = value;
    }

    /// <summary>Protocol of the payload.</summary>
    public byte Protocol
    {
        get => _bytes[Ipv4View.Field.Protocol];
        set => _bytes[Ipv4View.Field.Protocol] = value;
    }

    /// <summary>Header checksum as stored.</summary>
    public ushort Checksum
    {
        get => NetworkOrder.ReadUInt16(_bytes, Ipv4View.Field.Checksum);
        set => NetworkOrder.WriteUInt16(_bytes, Ipv4View.Field.Checksum, value);
    }

    /// <summary>Source address; the low 32 bits of the value are written. Transport checksums cover it too.</summary>
    public IpAddress Source
    {
        get => IpAddress.ReadV4(_bytes[Ipv4View.Field.Source..]);
        set => NetworkOrder.WriteUInt32(_bytes, Ipv4View.Field.Source, (uint)value.Low);
    }

    /// <summary>Destination address; the low 32 bits of the value are written. Transport checksums cover it too.</summary>
    public IpAddress Destination
    {
        get => IpAddress.ReadV4(_bytes[Ipv4View.Field.Destination..]);
        set => NetworkOrder.WriteUInt32(_bytes, Ipv4View.Field.Destination, (uint)value.Low);
    }

    /// <summary>What follows the header, writable.</summary>
    public Span<byte> Payload => _bytes[_headerLength..];

    /// <summary>Makes an editor over a packet <see cref="Ipv4View.TryParseHeader"/> accepts.</summary>
    /// <returns>False for any other bytes.</returns>
    public static bool TryCreate(Span<byte> bytes, out Ipv4Editor editor)
    {
        bool valid = Ipv4View.TryParseHeader(bytes, out Ipv4View view);
        editor = valid ? new Ipv4Editor(bytes[..view.Bytes.Length], view.HeaderLengthBytes) : default;
        return valid;
    }

    /// <summary>Computes the header checksum from the whole header.</summary>
    public void FillChecksum()
    {
        Checksum = 0;
        Checksum = InternetChecksum.Compute(_bytes[.._headerLength]);
    }

    /// <summary>Applies a delta to the checksum (RFC 1624).</summary>
    public void AdjustChecksum(ushort delta) => Checksum = InternetChecksum.Adjust(Checksum, delta);

    /// <summary>Takes one from the TTL and adjusts the checksum.</summary>
    /// <returns>False, with nothing changed, when the TTL is 0 or 1: the packet must not be forwarded (RFC 1812, 5.3.1).</returns>
    public bool TryDecrementTtl()
    {
        if (Ttl <= 1)
        {
            return false;
        }

        Ttl--;
        AdjustChecksum(InternetChecksum.TtlDecrementDelta);
        return true;
    }

    /// <summary>Writes the source address and adjusts the header checksum.</summary>
    /// <returns>The delta, which the transport checksum needs as well.</returns>
    public ushort ReplaceSource(IpAddress address)
    {
        ushort delta = InternetChecksum.Delta((uint)Source.Low, (uint)address.Low);
        Source = address;
        AdjustChecksum(delta);
        return delta;
    }

    /// <summary>Writes the destination address and adjusts the header checksum.</summary>
    /// <returns>The delta, which the transport checksum needs as well.</returns>
    public ushort ReplaceDestination(IpAddress address)
    {
        ushort delta = InternetChecksum.Delta((uint)Destination.Low, (uint)address.Low);
        Destination = address;
        AdjustChecksum(delta);
        return delta;
    }
}
