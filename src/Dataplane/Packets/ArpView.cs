namespace Dataplane.Packets;

/// <summary>Read-only view of an ARP packet for IPv4 over Ethernet (RFC 826).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws.</remarks>
public readonly ref struct ArpView
{
    /// <summary>Bytes of an ARP packet for IPv4 over Ethernet (28).</summary>
    public const int LengthBytes = 28;

    private readonly ReadOnlySpan<byte> _bytes;

    private ArpView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Request, reply, or another value as it stands.</summary>
    public ArpOperation Operation => (ArpOperation)NetworkOrder.ReadUInt16(_bytes, Field.Operation);

    /// <summary>Hardware address of the sender.</summary>
    public MacAddress SenderMac => MacAddress.Read(_bytes[Field.SenderMac..]);

    /// <summary>IPv4 address of the sender; 0.0.0.0 in an address probe (RFC 5227).</summary>
    public IpAddress SenderAddress => IpAddress.ReadV4(_bytes[Field.SenderAddress..]);

    /// <summary>Hardware address of the target; without meaning in a request.</summary>
    public MacAddress TargetMac => MacAddress.Read(_bytes[Field.TargetMac..]);

    /// <summary>IPv4 address of the target.</summary>
    public IpAddress TargetAddress => IpAddress.ReadV4(_bytes[Field.TargetAddress..]);

    /// <summary>Reads a packet.</summary>
    /// <param name="bytes">From the hardware type on; padding behind is allowed.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when cut off, or when hardware and protocol are not Ethernet and IPv4 with lengths 6 and 4.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out ArpView view)
    {
        bool valid = bytes.Length >= LengthBytes
            && NetworkOrder.ReadUInt32(bytes, Field.HardwareType) == ArpFields.EthernetIpv4
            && NetworkOrder.ReadUInt16(bytes, Field.HardwareLength) == ArpFields.Lengths;
        view = valid ? new ArpView(bytes[..LengthBytes]) : default;
        return valid;
    }

    /// <summary>The values of the packet; always true, every packet the view accepts fits.</summary>
    public bool TryGetFields(out ArpFields fields)
    {
        fields = new ArpFields
        {
            Operation = Operation,
            SenderMac = SenderMac,
            SenderAddress = SenderAddress,
            TargetMac = TargetMac,
            TargetAddress = TargetAddress,
        };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the packet.</summary>
    internal static class Field
    {
        public const int HardwareType = 0, ProtocolType = 2, HardwareLength = 4, ProtocolLength = 5, Operation = 6,
                         SenderMac = 8, SenderAddress = 14, TargetMac = 18, TargetAddress = 24;
    }
}
