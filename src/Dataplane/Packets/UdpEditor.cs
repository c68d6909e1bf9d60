namespace Dataplane.Packets;

/// <summary>In-place writer of a UDP header (RFC 768).</summary>
/// <remarks>Plain setters leave the checksum alone; call <see cref="FillChecksum"/> after them, or set through the members that adjust it.</remarks>
public readonly ref struct UdpEditor
{
    private readonly Span<byte> _bytes;

    private UdpEditor(Span<byte> bytes) => _bytes = bytes;

    /// <summary>Source port.</summary>
    public ushort SourcePort
    {
        get => NetworkOrder.ReadUInt16(_bytes, UdpView.Field.SourcePort);
        set => NetworkOrder.WriteUInt16(_bytes, UdpView.Field.SourcePort, value);
    }

    /// <summary>Destination port.</summary>
    public ushort DestinationPort
    {
        get => NetworkOrder.ReadUInt16(_bytes, UdpView.Field.DestinationPort);
        set => NetworkOrder.WriteUInt16(_bytes, UdpView.Field.DestinationPort, value);
    }

    /// <summary>Checksum as stored; 0 means none.</summary>
    public ushort Checksum
    {
        get => NetworkOrder.ReadUInt16(_bytes, UdpView.Field.Checksum);
        set => NetworkOrder.WriteUInt16(_bytes, UdpView.Field.Checksum, value);
    }

    /// <summary>The data, writable.</summary>
    public Span<byte> Payload => _bytes[UdpView.HeaderLengthBytes..];

    /// <summary>Makes an editor over a datagram <see cref="UdpView.TryParseHeader"/> accepts.</summary>
    /// <returns>False for any other bytes.</returns>
    public static bool TryCreate(Span<byte> bytes, out UdpEditor editor)
    {
        bool valid = UdpView.TryParseHeader(bytes, out UdpView view);
        editor = valid ? new UdpEditor(bytes[..(UdpView.HeaderLengthBytes + view.Payload.Length)]) : default;
        return valid;
    }

    /// <summary>Computes the checksum from the whole datagram and its pseudo-header; a result of 0 is stored as 0xFFFF.</summary>
    public void FillChecksum(IpAddress source, IpAddress destination)
    {
        Checksum = 0;
        uint partial = InternetChecksum.PseudoHeader(source, destination, IpProtocols.Udp, NetworkOrder.ReadUInt16(_bytes, UdpView.Field.Length));
        Checksum = InternetChecksum.ZeroAsOnes(InternetChecksum.Compute(_bytes, partial));
    }

    /// <summary>Applies a delta to the checksum, keeping "none" as it is (RFC 768, RFC 1624).</summary>
    public void AdjustChecksum(ushort delta) => Checksum = InternetChecksum.AdjustUdp(Checksum, delta);

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
}
