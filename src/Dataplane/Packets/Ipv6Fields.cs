namespace Dataplane.Packets;

/// <summary>The values of an IPv6 header (RFC 8200), host order.</summary>
public readonly record struct Ipv6Fields
{
    /// <summary>Bytes <see cref="Emit"/> writes (40), extension headers not counted.</summary>
    public const int EmittedLength = Ipv6View.HeaderLengthBytes;

    /// <summary>Source address, IPv6.</summary>
    public IpAddress Source { get; init; }

    /// <summary>Destination address, IPv6.</summary>
    public IpAddress Destination { get; init; }

    /// <summary>Type of the first header behind this one, see <see cref="IpProtocols"/>.</summary>
    public byte NextHeader { get; init; }

    /// <summary>Hop limit.</summary>
    public byte HopLimit { get; init; }

    /// <summary>Traffic class: DSCP and ECN.</summary>
    public byte TrafficClass { get; init; }

    /// <summary>Flow label, 0 to 0xFFFFF.</summary>
    public uint FlowLabel { get; init; }

    /// <summary>Extension headers and upper layer in bytes, 0 to 65,535.</summary>
    public int PayloadLengthBytes { get; init; }

    /// <summary>Writes the header.</summary>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>, or a payload length the header cannot state.</exception>
    public int Emit(Span<byte> target)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)PayloadLengthBytes, ushort.MaxValue, nameof(PayloadLengthBytes));
        Span<byte> header = target[..EmittedLength];
        uint versionClassLabel = 0x6000_0000 | ((uint)TrafficClass << 20) | (FlowLabel & Ipv6View.Field.FlowLabelMask);
        NetworkOrder.WriteUInt32(header, Ipv6View.Field.VersionClassLabel, versionClassLabel);
        NetworkOrder.WriteUInt16(header, Ipv6View.Field.PayloadLength, (ushort)PayloadLengthBytes);
        header[Ipv6View.Field.NextHeader] = NextHeader;
        header[Ipv6View.Field.HopLimit] = HopLimit;
        IpAddress.FromV6(Source.High, Source.Low).Write(header[Ipv6View.Field.Source..]);
        IpAddress.FromV6(Destination.High, Destination.Low).Write(header[Ipv6View.Field.Destination..]);
        return EmittedLength;
    }
}
