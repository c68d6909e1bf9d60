namespace Dataplane.Packets;

/// <summary>In-place writer of an ARP packet for IPv4 over Ethernet (RFC 826).</summary>
public readonly ref struct ArpEditor
{
    private readonly Span<byte> _bytes;

    private ArpEditor(Span<byte> bytes) => _bytes = bytes;

    /// <summary>Request or reply.</summary>
    public ArpOperation Operation
    {
        get => (ArpOperation)NetworkOrder.ReadUInt16(_bytes, ArpView.Field.Operation);
        set => NetworkOrder.WriteUInt16(_bytes, ArpView.Field.Operation, (ushort)value);
    }

    /// <summary>Hardware address of the sender.</summary>
    public MacAddress SenderMac
    {
        get => MacAddress.Read(_bytes[ArpView.Field.SenderMac..]);
        set => value.Write(_bytes[ArpView.Field.SenderMac..]);
    }

    /// <summary>IPv4 address of the sender; the low 32 bits of the value are written.</summary>
    public IpAddress SenderAddress
    {
        get => IpAddress.ReadV4(_bytes[ArpView.Field.SenderAddress..]);
        set => NetworkOrder.WriteUInt32(_bytes, ArpView.Field.SenderAddress, (uint)value.Low);
    }

    /// <summary>Hardware address of the target.</summary>
    public MacAddress TargetMac
    {
        get => MacAddress.Read(_bytes[ArpView.Field.TargetMac..]);
        set => value.Write(_bytes[ArpView.Field.TargetMac..]);
    }

    /// <summary>IPv4 address of the target; the low 32 bits of the value are written.</summary>
    public IpAddress TargetAddress
    {
        get => IpAddress.ReadV4(_bytes[ArpView.Field.TargetAddress..]);
        set => NetworkOrder.WriteUInt32(_bytes, ArpView.Field.TargetAddress, (uint)value.Low);
    }

    /// <summary>Makes an editor over a packet <see cref="ArpView.TryParse"/> accepts.</summary>
    /// <returns>False for any other bytes.</returns>
    public static bool TryCreate(Span<byte> bytes, out ArpEditor editor)
    {
        bool valid = ArpView.TryParse(bytes, out _);
        editor = valid ? new ArpEditor(bytes[..ArpView.LengthBytes]) : default;
        return valid;
    }

    /// <summary>Turns a request into its reply: what was asked for becomes the sender, the asker becomes the target.</summary>
    /// <param name="mac">The hardware address asked for.</param>
    public void MakeReply(MacAddress mac)
    {
        IpAddress asked = TargetAddress;
        TargetMac = SenderMac;
        TargetAddress = SenderAddress;
        SenderMac = mac;
        SenderAddress = asked;
        Operation = ArpOperation.Reply;
    }
}
