namespace Dataplane.Packets;

/// <summary>Read-only view of a router advertisement message (RFC 4861, 4.2).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws; its options are well-formed. That the
/// hop limit is 255 and the checksum right, which RFC 4861, 6.1.2 also asks for, is for the caller to check: both need the IPv6 header.</remarks>
public readonly ref struct RouterAdvertisementView
{
    /// <summary>Bytes of the message without options (16).</summary>
    public const int MinLengthBytes = 16;

    private readonly ReadOnlySpan<byte> _bytes;

    private RouterAdvertisementView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The hop limit hosts should use; 0: unspecified.</summary>
    public byte HopLimit => _bytes[Field.HopLimit];

    /// <summary>Whether addresses come by DHCPv6.</summary>
    public bool IsManaged => (_bytes[Field.Flags] & 0x80) != 0;

    /// <summary>Whether other settings come by DHCPv6.</summary>
    public bool HasOtherConfiguration => (_bytes[Field.Flags] & 0x40) != 0;

    /// <summary>How long the router is a default router, in seconds; 0: it is none.</summary>
    public ushort LifetimeSeconds => NetworkOrder.ReadUInt16(_bytes, Field.Lifetime);

    /// <summary>How long a confirmed neighbour counts as reachable, in milliseconds; 0: unspecified.</summary>
    public uint ReachableTimeMs => NetworkOrder.ReadUInt32(_bytes, Field.ReachableTime);

    /// <summary>Time between solicitations, in milliseconds; 0: unspecified.</summary>
    public uint RetransTimerMs => NetworkOrder.ReadUInt32(_bytes, Field.RetransTimer);

    /// <summary>The options one by one; there may be several prefixes.</summary>
    public NdOptionEnumerator EnumeratedOptions => new(_bytes[MinLengthBytes..]);

    /// <summary>Reads a message.</summary>
    /// <param name="message">From the ICMPv6 type on.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when of another type, cut off, with a code other than 0 or malformed options.</returns>
    public static bool TryParse(ReadOnlySpan<byte> message, out RouterAdvertisementView view)
    {
        bool valid = NdMessage.IsWellFormed(message, Icmpv6Types.RouterAdvertisement, MinLengthBytes);
        view = valid ? new RouterAdvertisementView(message) : default;
        return valid;
    }

    /// <summary>The values of the message and the first option of each kind the fields know; always true.</summary>
    public bool TryGetFields(out RouterAdvertisementFields fields)
    {
        MacAddress? source = null;
        uint? mtu = null;
        NdPrefixInformation? prefix = null;
        foreach (NdOption option in EnumeratedOptions)
        {
            source ??= option.Kind == NdOptionKinds.SourceLinkLayerAddress && option.TryGetLinkLayerAddress(out MacAddress mac) ? mac : null;
            mtu ??= option.TryGetMtu(out uint bytes) ? bytes : null;
            prefix ??= option.TryGetPrefixInformation(out NdPrefixInformation information) ? information : null;
        }

        fields = new RouterAdvertisementFields
        {
            HopLimit = HopLimit,
            IsManaged = IsManaged,
            HasOtherConfiguration = HasOtherConfiguration,
            LifetimeSeconds = LifetimeSeconds,
            ReachableTimeMs = ReachableTimeMs,
            RetransTimerMs = RetransTimerMs,
            SourceLinkLayerAddress = source,
            MtuBytes = mtu,
            Prefix = prefix,
        };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the message.</summary>
    internal static class Field
    {
        public const int HopLimit = 4, Flags = 5, Lifetime = 6, ReachableTime = 8, RetransTimer = 12;
    }
}
