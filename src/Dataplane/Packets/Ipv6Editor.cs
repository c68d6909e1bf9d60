namespace Dataplane.Packets;

/// <summary>In-place writer of an IPv6 header (RFC 8200), which has no checksum of its own.</summary>
public readonly ref struct Ipv6Editor
{
    private readonly Span<byte> _bytes;

    private Ipv6Editor(Span<byte> bytes) => _bytes = bytes;

    /// <summary>Traffic class: DSCP and ECN.</summary>
    public byte TrafficClass
    {
        get => (byte)(NetworkOrder.ReadUInt16(_bytes, Ipv6View.Field.VersionClassLabel) >> 4);
        set => NetworkOrder.WriteUInt16(
            _bytes, Ipv6View.Field.VersionClassLabel, (ushort)((NetworkOrder.ReadUInt16(_bytes, Ipv6View.Field.VersionClassLabel) & 0xF00F) | (value << 4)));
    }

    /// <summary>Flow label; the low 20 bits of the value are written.</summary>
    public uint FlowLabel
    {
        get => NetworkOrder.ReadUInt32(_bytes, Ipv6View.Field.VersionClassLabel) & Ipv6View.Field.FlowLabelMask;
        set => NetworkOrder.WriteUInt32(
            _bytes,
            Ipv6View.Field.VersionClassLabel,
            (NetworkOrder.ReadUInt32(_bytes, Ipv6View.Field.VersionClassLabel) & ~Ipv6View.Field.FlowLabelMask) | (value & Ipv6View.Field.FlowLabelMask));
    }

    /// <summary>Type of the first header behind this one.</summary>
    public byte NextHeader
    {
        get => _bytes[Ipv6View.Field.NextHeader];
        set => _bytes[Ipv6View.Field.NextHeader] = value;
    }

    /// <summary>Hop limit.</summary>
    public byte HopLimit
    {
        get => _bytes[Ipv6View.Field.HopLimit];
        set => _bytes[Ipv6View.Field.HopLimit] = value;
    }

    /// <summary>Source address, all 128 bits of the value. Transport checksums cover it.</summary>
    public IpAddress Source
    {
        get => IpAddress.ReadV6(_bytes[Ipv6View.Field.Source..]);
        set => IpAddress.FromV6(value.High, value.Low).Write(_bytes[Ipv6View.Field.Source..]);
    }

    /// <summary>Destination address, all 128 bits of the value. Transport checksums cover it.</summary>
    public IpAddress Destination
    {
        get => IpAddress.ReadV6(_bytes[Ipv6View.Field.Destination..]);
        set => IpAddress.FromV6(value.High, value.Low).Write(_bytes[Ipv6View.Field.Destination..]);
    }

    /// <summary>What follows the fixed header, writable.</summary>
    public Span<byte> Payload => _bytes[Ipv6View.HeaderLengthBytes..];

    /// <summary>Makes an editor over a packet <see cref="Ipv6View.TryParseHeader"/> accepts.</summary>
    /// <returns>False for any other bytes.</returns>
    public static bool TryCreate(Span<byte> bytes, out Ipv6Editor editor)
    {
        bool valid = Ipv6View.TryParseHeader(bytes, out Ipv6View view);
        editor = valid ? new Ipv6Editor(bytes[..view.Bytes.Length]) : default;
        return valid;
    }

    /// <summary>Takes one from the hop limit.</summary>
    /// <returns>False, with nothing changed, when it is 0 or 1: the packet must not be forwarded (RFC 8200, 3).</returns>
    public bool TryDecrementHopLimit()
    {
        if (HopLimit <= 1)
        {
            return false;
        }

        HopLimit--;
        return true;
    }

    /// <summary>Writes the source address.</summary>
    /// <returns>The delta the transport checksum needs.</returns>
    public ushort ReplaceSource(IpAddress address)
    {
        ushort delta = InternetChecksum.Delta(Source, address);
        Source = address;
        return delta;
    }

    /// <summary>Writes the destination address.</summary>
    /// <returns>The delta the transport checksum needs.</returns>
    public ushort ReplaceDestination(IpAddress address)
    {
        ushort delta = InternetChecksum.Delta(Destination, address);
        Destination = address;
        return delta;
    }
}
