namespace Dataplane.Packets;

/// <summary>Read-only view of a redirect message (RFC 4861, 4.5).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws; its options are well-formed. That the
/// hop limit is 255 and the checksum right, which RFC 4861, 8.1 also asks for, is for the caller to check: both need the IPv6 header.</remarks>
public readonly ref struct NdRedirectView
{
    /// <summary>Bytes of the message without options (40).</summary>
    public const int MinLengthBytes = 40;

    private readonly ReadOnlySpan<byte> _bytes;

    private NdRedirectView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The better first hop, or the destination itself when it is a neighbour.</summary>
    public IpAddress Target => IpAddress.ReadV6(_bytes[NdMessage.Target..]);

    /// <summary>The destination that is redirected; never multicast.</summary>
    public IpAddress Destination => IpAddress.ReadV6(_bytes[Field.Destination..]);

    /// <summary>The options one by one.</summary>
    public NdOptionEnumerator EnumeratedOptions => new(_bytes[MinLengthBytes..]);

    /// <summary>Reads a message.</summary>
    /// <param name="message">From the ICMPv6 type on.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when of another type, cut off, with a code other than 0, a multicast destination or malformed options.</returns>
    public static bool TryParse(ReadOnlySpan<byte> message, out NdRedirectView view)
    {
        bool valid = NdMessage.IsWellFormed(message, Icmpv6Types.Redirect, MinLengthBytes)
            && !IpAddress.ReadV6(message[Field.Destination..]).IsMulticast;
        view = valid ? new NdRedirectView(message) : default;
        return valid;
    }

    /// <summary>The Ethernet address of the target; false without the option.</summary>
    public bool TryGetTargetLinkLayerAddress(out MacAddress address) =>
        NdOptionEnumerator.TryFindLinkLayerAddress(_bytes[MinLengthBytes..], NdOptionKinds.TargetLinkLayerAddress, out address);

    /// <summary>The values of the message; options other than the target link-layer address are left out. Always true.</summary>
    public bool TryGetFields(out NdRedirectFields fields)
    {
        fields = new NdRedirectFields
        {
            Target = Target,
            Destination = Destination,
            TargetLinkLayerAddress = TryGetTargetLinkLayerAddress(out MacAddress mac) ? mac : null,
        };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the message.</summary>
    internal static class Field
    {
        public const int Destination = 24;
    }
}
