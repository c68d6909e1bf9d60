namespace Dataplane.Packets;

/// <summary>One IPv6 extension header inside its packet.</summary>
public readonly ref struct Ipv6ExtensionHeader
{
    internal Ipv6ExtensionHeader(byte protocol, int offset, ReadOnlySpan<byte> bytes)
    {
        Protocol = protocol;
        Offset = offset;
        Bytes = bytes;
    }

    /// <summary>Its type: hop-by-hop, routing, fragment, authentication or destination options, see <see cref="IpProtocols"/>.</summary>
    public byte Protocol { get; }

    /// <summary>Where it begins, in bytes from the start of the IPv6 header.</summary>
    public int Offset { get; }

    /// <summary>The whole header; at least 8 bytes.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>Type of the header behind it.</summary>
    public byte NextHeader => Bytes[0];
}
