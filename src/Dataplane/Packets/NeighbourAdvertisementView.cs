namespace Dataplane.Packets;

/// <summary>Read-only view of a neighbour advertisement message (RFC 4861, 4.4).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws; its options are well-formed. That the
/// hop limit is 255 and the checksum right, which RFC 4861, 7.1.2 also asks for, is for the caller to check: both need the IPv6 header.</remarks>
public readonly ref struct NeighbourAdvertisementView
{
    /// <summary>Bytes of the message without options (24).</summary>
    public const int MinLengthBytes = 24;

    private readonly ReadOnlySpan<byte> _bytes;

    private NeighbourAdvertisementView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Whether the sender is a router.</summary>
    public bool IsRouter => (_bytes[Icmpv6View.Field.Rest] & 0x80) != 0;

    /// <summary>Whether this answers a solicitation; only then does it confirm that the neighbour can be reached.</summary>
    public bool IsSolicited => (_bytes[Icmpv6View.Field.Rest] & 0x40) != 0;

    /// <summary>Whether the address replaces one already known.</summary>
    public bool IsOverride => (_bytes[Icmpv6View.Field.Rest] & 0x20) != 0;

    /// <summary>The address spoken for; never multicast.</summary>
    public IpAddress Target => IpAddress.ReadV6(_bytes[NdMessage.Target..]);

    /// <summary>The options one by one.</summary>
    public NdOptionEnumerator EnumeratedOptions => new(_bytes[MinLengthBytes..]);

    /// <summary>Reads a message.</summary>
    /// <param name="message">From the ICMPv6 type on.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when of another type, cut off, with a code other than 0, a multicast target or malformed options.</returns>
    public static bool TryParse(ReadOnlySpan<byte> message, out NeighbourAdvertisementView view)
    {
        bool valid = NdMessage.IsWellFormed(message, Icmpv6Types.NeighbourAdvertisement, MinLengthBytes)
            && !IpAddress.ReadV6(message[NdMessage.Target..]).IsMulticast;
        view = valid ? new NeighbourAdvertisementView(message) : default;
        return valid;
    }

    /// <summary>The Ethernet address of the target; false without the option.</summary>
    public bool TryGetTargetLinkLayerAddress(out MacAddress address) =>
        NdOptionEnumerator.TryFindLinkLayerAddress(_bytes[MinLengthBytes..], NdOptionKinds.TargetLinkLayerAddress, out address);

    /// <summary>The values of the message; options other than the target link-layer address are left out. Always true.</summary>
    public bool TryGetFields(out NeighbourAdvertisementFields fields)
    {
        fields = new NeighbourAdvertisementFields
        {
            Target = Target,
            IsRouter = IsRouter,
            IsSolicited = IsSolicited,
            IsOverride = IsOverride,
            TargetLinkLayerAddress = TryGetTargetLinkLayerAddress(out MacAddress mac) ? mac : null,
        };
        return true;
    }
}
