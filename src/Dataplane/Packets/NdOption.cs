namespace Dataplane.Packets;

/// <summary>One option of a neighbour discovery message (RFC 4861, 4.6).</summary>
public readonly ref struct NdOption
{
    /// <summary>Options are counted in units of so many bytes (8).</summary>
    public const int UnitBytes = 8;

    private const int RedirectedPacketOffset = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    internal NdOption(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The option type, see <see cref="NdOptionKinds"/>.</summary>
    public byte Kind => _bytes[0];

    /// <summary>What follows type and length; 6 bytes or more.</summary>
    public ReadOnlySpan<byte> Data => _bytes[2..];

    /// <summary>The packet a redirected-header option quotes, cut off; empty for other options.</summary>
    public ReadOnlySpan<byte> RedirectedPacket => Kind == NdOptionKinds.RedirectedHeader ? _bytes[RedirectedPacketOffset..] : default;

    /// <summary>The Ethernet address of a source or target link-layer address option; false for any other.</summary>
    public bool TryGetLinkLayerAddress(out MacAddress address)
    {
        bool valid = Kind is NdOptionKinds.SourceLinkLayerAddress or NdOptionKinds.TargetLinkLayerAddress && _bytes.Length == UnitBytes;
        address = valid ? MacAddress.Read(Data) : default;
        return valid;
    }

    /// <summary>The link MTU in bytes; false for any other option.</summary>
    public bool TryGetMtu(out uint mtuBytes)
    {
        bool valid = Kind == NdOptionKinds.Mtu && _bytes.Length == UnitBytes;
        mtuBytes = valid ? NetworkOrder.ReadUInt32(_bytes, 4) : 0;
        return valid;
    }

    /// <summary>A prefix of the link; false for any other option, or when its length is above 128 bits.</summary>
    public bool TryGetPrefixInformation(out NdPrefixInformation information)
    {
        information = default;
        return Kind == NdOptionKinds.PrefixInformation && NdPrefixInformation.TryRead(_bytes, out information);
    }
}
