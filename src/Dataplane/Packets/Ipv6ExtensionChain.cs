namespace Dataplane.Packets;

/// <summary>What a walk along the extension headers of an IPv6 packet found; keeps no reference to the packet.</summary>
public readonly record struct Ipv6ExtensionChain
{
    /// <summary>Why the walk stopped early; the other values are those found up to there.</summary>
    public Ipv6ExtensionError Error { get; init; }

    /// <summary>Type of the header behind the last extension header; <see cref="IpProtocols.NoNextHeader"/> when nothing follows.</summary>
    public byte UpperProtocol { get; init; }

    /// <summary>Where that header begins, in bytes from the start of the IPv6 header; in a later fragment, where the fragment's data begins.</summary>
    public int UpperOffset { get; init; }

    /// <summary>The number of extension headers, 0 to <see cref="Ipv6ExtensionWalker.MaxHeaders"/>.</summary>
    public int HeaderCount { get; init; }

    /// <summary>Whether this is a whole packet, the first fragment or a later one.</summary>
    public FragmentKind Fragment { get; init; }

    /// <summary>Whether there is a fragment header; with <see cref="FragmentKind.None"/> it is an atomic fragment (RFC 6946).</summary>
    public bool HasFragmentHeader { get; init; }

    /// <summary>Where the fragment's data belongs, in bytes: a multiple of 8 up to 65,528.</summary>
    public int FragmentOffsetBytes { get; init; }

    /// <summary>Whether more fragments follow this one.</summary>
    public bool MoreFragments { get; init; }

    /// <summary>What ties the fragments of a packet together; 0 without a fragment header.</summary>
    public uint FragmentIdentification { get; init; }

    /// <summary>Whether the walk reached the upper layer and its header is in this packet.</summary>
    public bool HasUpperHeader => Error == Ipv6ExtensionError.None && Fragment != FragmentKind.Later && UpperProtocol != IpProtocols.NoNextHeader;
}
