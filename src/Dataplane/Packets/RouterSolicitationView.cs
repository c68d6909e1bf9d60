namespace Dataplane.Packets;

/// <summary>Read-only view of a router solicitation message (RFC 4861, 4.1).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws; its options are well-formed. That the
/// hop limit is 255 and the checksum right, which RFC 4861, 6.1.1 also asks for, is for the caller to check: both need the IPv6 header.</remarks>
public readonly ref struct RouterSolicitationView
{
    /// <summary>Bytes of the message without options (8).</summary>
    public const int MinLengthBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private RouterSolicitationView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The options one by one.</summary>
    public NdOptionEnumerator EnumeratedOptions => new(_bytes[MinLengthBytes..]);

    /// <summary>Reads a message.</summary>
    /// <param name="message">From the ICMPv6 type on.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when of another type, cut off, with a code other than 0 or malformed options.</returns>
    public static bool TryParse(ReadOnlySpan<byte> message, out RouterSolicitationView view)
    {
        bool valid = NdMessage.IsWellFormed(message, Icmpv6Types.RouterSolicitation, MinLengthBytes);
        view = valid ? new RouterSolicitationView(message) : default;
        return valid;
    }

    /// <summary>The sender's Ethernet address; false without the option.</summary>
    public bool TryGetSourceLinkLayerAddress(out MacAddress address) =>
        NdOptionEnumerator.TryFindLinkLayerAddress(_bytes[MinLengthBytes..], NdOptionKinds.SourceLinkLayerAddress, out address);

    /// <summary>The values of the message; options other than the source link-layer address are left out. Always true.</summary>
    public bool TryGetFields(out RouterSolicitationFields fields)
    {
        fields = new RouterSolicitationFields { SourceLinkLayerAddress = TryGetSourceLinkLayerAddress(out MacAddress mac) ? mac : null };
        return true;
    }
}
