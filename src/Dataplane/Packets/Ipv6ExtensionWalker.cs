namespace Dataplane.Packets;

/// <summary>Walks the extension headers of an IPv6 packet (RFC 8200, 4) up to the upper layer; for <c>foreach</c>, or at once by <see cref="Walk"/>.</summary>
/// <remarks>
/// Followed are hop-by-hop, routing, fragment, authentication and destination options. Anything else, ESP included, is the upper
/// layer. In a later fragment the walk ends behind the fragment header, for what follows is data from the middle of a packet.
/// Nothing it meets makes it throw or read outside the packet.
/// </remarks>
public ref struct Ipv6ExtensionWalker
{
    /// <summary>The most extension headers followed (8): the order RFC 8200, 4.1 recommends has seven, and RFC 8883 expects nodes to have a limit.</summary>
    public const int MaxHeaders = 8;

    private const int UnitBytes = 8, MinAuthenticationBytes = 12;

    private readonly ReadOnlySpan<byte> _packet;
    private byte _currentProtocol;
    private int _currentOffset;
    private byte _next;
    private int _offset;
    private int _count;
    private Ipv6ExtensionError _error;
    private bool _hasFragmentHeader;
    private bool _moreFragments;
    private int _fragmentOffset;
    private uint _identification;

    internal Ipv6ExtensionWalker(Ipv6View packet)
    {
        _packet = packet.Bytes;
        _next = packet.NextHeader;
        _offset = Ipv6View.HeaderLengthBytes;
    }

    /// <summary>The header reached; valid after <see cref="MoveNext"/> returned true.</summary>
    public readonly Ipv6ExtensionHeader Current => new(_currentProtocol, _currentOffset, _packet[_currentOffset.._offset]);

    /// <summary>What was found so far; complete after <see cref="MoveNext"/> returned false.</summary>
    public readonly Ipv6ExtensionChain Chain => new()
    {
        Error = _error,
        UpperProtocol = _next,
        UpperOffset = _offset,
        HeaderCount = _count,
        Fragment = _fragmentOffset != 0 ? FragmentKind.Later : _moreFragments ? FragmentKind.First : FragmentKind.None,
        HasFragmentHeader = _hasFragmentHeader,
        FragmentOffsetBytes = _fragmentOffset,
        MoreFragments = _moreFragments,
        FragmentIdentification = _identification,
    };

    /// <summary>Walks all extension headers of a packet.</summary>
    public static Ipv6ExtensionChain Walk(Ipv6View packet)
    {
        var walker = new Ipv6ExtensionWalker(packet);
        while (walker.MoveNext())
        {
        }

        return walker.Chain;
    }

    /// <summary>This walker.</summary>
    public readonly Ipv6ExtensionWalker GetEnumerator() => this;

    /// <summary>Goes to the next extension header; false at the upper layer or at an error, see <see cref="Chain"/>.</summary>
    public bool MoveNext()
    {
        if (_error != Ipv6ExtensionError.None || _fragmentOffset != 0 || !IpProtocols.IsIpv6Extension(_next))
        {
            return false;
        }

        _error = Check(out int lengthBytes);
        if (_error != Ipv6ExtensionError.None)
        {
            return false;
        }

        if (_next == IpProtocols.Fragment)
        {
            ReadFragment(_packet[_offset..]);
        }

        _currentProtocol = _next;
        _currentOffset = _offset;
        _next = _packet[_offset];
        _offset += lengthBytes;
        _count++;
        return true;
    }

    /// <summary>Whether the header that begins here may stand here, and is in the packet as a whole.</summary>
    private readonly Ipv6ExtensionError Check(out int lengthBytes)
    {
        lengthBytes = UnitBytes;
        if (_count == MaxHeaders)
        {
            return Ipv6ExtensionError.TooManyHeaders;
        }

        if (_next == IpProtocols.HopByHop && _count > 0)
        {
            return Ipv6ExtensionError.HopByHopNotFirst;
        }

        if (_next == IpProtocols.Fragment && _hasFragmentHeader)
        {
            return Ipv6ExtensionError.RepeatedFragmentHeader;
        }

        ReadOnlySpan<byte> rest = _packet[_offset..];
        if (rest.Length < UnitBytes)
        {
            return Ipv6ExtensionError.Truncated;
        }

        // The length byte counts units of 8 beyond the first; in the authentication header units of 4 beyond the first two (RFC 4302, 2.2).
        // The fragment header has no length byte.
        lengthBytes = _next switch
        {
            IpProtocols.Fragment => UnitBytes,
            IpProtocols.Authentication => (rest[1] + 2) * 4,
            _ => (rest[1] + 1) * UnitBytes,
        };
        if (_next == IpProtocols.Authentication && lengthBytes < MinAuthenticationBytes)
        {
            return Ipv6ExtensionError.BadHeaderLength;
        }

        return lengthBytes > rest.Length ? Ipv6ExtensionError.Truncated : Ipv6ExtensionError.None;
    }

    private void ReadFragment(ReadOnlySpan<byte> header)
    {
        ushort offsetAndFlags = NetworkOrder.ReadUInt16(header, Ipv6FragmentView.Field.OffsetAndFlags);
        _hasFragmentHeader = true;
        _fragmentOffset = offsetAndFlags & 0xFFF8;
        _moreFragments = (offsetAndFlags & 1) != 0;
        _identification = NetworkOrder.ReadUInt32(header, Ipv6FragmentView.Field.Identification);
    }
}
