namespace Dataplane.Packets;

/// <summary>The values of an ARP packet for IPv4 over Ethernet (RFC 826), host order.</summary>
public readonly record struct ArpFields
{
    /// <summary>Bytes <see cref="Emit"/> writes (28).</summary>
    public const int EmittedLength = ArpView.LengthBytes;

    /// <summary>Hardware type 1 (Ethernet) and protocol type 0x0800 (IPv4).</summary>
    internal const uint EthernetIpv4 = 0x0001_0800;

    /// <summary>Hardware address length 6 and protocol address length 4.</summary>
    internal const ushort Lengths = 0x0604;

    /// <summary>Request or reply.</summary>
    public ArpOperation Operation { get; init; }

    /// <summary>Hardware address of the sender.</summary>
    public MacAddress SenderMac { get; init; }

    /// <summary>IPv4 address of the sender.</summary>
    public IpAddress SenderAddress { get; init; }

    /// <summary>Hardware address of the target; zero in a request.</summary>
    public MacAddress TargetMac { get; init; }

    /// <summary>IPv4 address of the target.</summary>
    public IpAddress TargetAddress { get; init; }

    /// <summary>Writes the packet; of the addresses the low 32 bits.</summary>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> target)
    {
        NetworkOrder.WriteUInt32(target, ArpView.Field.HardwareType, EthernetIpv4);
        NetworkOrder.WriteUInt16(target, ArpView.Field.HardwareLength, Lengths);
        NetworkOrder.WriteUInt16(target, ArpView.Field.Operation, (ushort)Operation);
        SenderMac.Write(target[ArpView.Field.SenderMac..]);
        NetworkOrder.WriteUInt32(target, ArpView.Field.SenderAddress, (uint)SenderAddress.Low);
        TargetMac.Write(target[ArpView.Field.TargetMac..]);
        NetworkOrder.WriteUInt32(target, ArpView.Field.TargetAddress, (uint)TargetAddress.Low);
        return ArpView.LengthBytes;
    }
}
