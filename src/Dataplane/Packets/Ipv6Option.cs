namespace Dataplane.Packets;

/// <summary>One option of a hop-by-hop or destination options header (RFC 8200, 4.2).</summary>
public readonly ref struct Ipv6Option
{
    internal Ipv6Option(byte kind, ReadOnlySpan<byte> data)
    {
        Kind = kind;
        Data = data;
    }

    /// <summary>The option type, see <see cref="Ipv6OptionKinds"/>.</summary>
    public byte Kind { get; }

    /// <summary>What follows type and length.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>What a node does that does not know the option: 0 skip, 1 discard, 2 discard and report, 3 discard and report unless multicast.</summary>
    public int UnknownAction => Kind >> 6;

    /// <summary>Whether the data may change on the way.</summary>
    public bool MayChangeEnRoute => (Kind & 0x20) != 0;
}
