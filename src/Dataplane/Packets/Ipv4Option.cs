namespace Dataplane.Packets;

/// <summary>One IPv4 option (RFC 791, 3.1) inside its packet.</summary>
public readonly ref struct Ipv4Option
{
    private const int MinSourceRouteBytes = 7, FirstPointer = 4;

    private readonly ReadOnlySpan<byte> _bytes;

    internal Ipv4Option(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The option type, see <see cref="Ipv4OptionKinds"/>.</summary>
    public byte Kind => _bytes[0];

    /// <summary>Whether fragments repeat the option.</summary>
    public bool IsCopied => (Kind & 0x80) != 0;

    /// <summary>What follows type and length.</summary>
    public ReadOnlySpan<byte> Data => _bytes[2..];

    /// <summary>The last address of a source route that still has hops to visit: the packet's true destination (RFC 791).</summary>
    /// <returns>False when this is no source route, it is malformed, or all its hops were visited.</returns>
    public bool TryGetFinalDestination(out IpAddress destination)
    {
        destination = default;
        if (Kind is not (Ipv4OptionKinds.LooseSourceRoute or Ipv4OptionKinds.StrictSourceRoute) || _bytes.Length < MinSourceRouteBytes)
        {
            return false;
        }

        // The pointer counts from 1, the kind byte being 1.
        int pointer = _bytes[2], routeBytes = (_bytes.Length - 3) & ~3;
        if (pointer < FirstPointer || pointer + 3 > 3 + routeBytes)
        {
            return false;
        }

        destination = IpAddress.ReadV4(_bytes[(3 + routeBytes - 4)..]);
        return true;
    }
}
