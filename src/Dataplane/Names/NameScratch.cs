namespace Dataplane.Names;

/// <summary>What one thread needs to answer queries: a place for a name, one for a response, and chance.</summary>
internal sealed class NameScratch(ulong seed)
{
    private ulong _state = seed | 1;

    /// <summary>The name asked for, in lower case.</summary>
    public byte[] Name { get; } = new byte[DomainName.MaxWireBytes + 1 + (2 * NameHash.TailBytes)];

    /// <summary>The response.</summary>
    public byte[] Response { get; } = new byte[DnsWire.MaxUdpBytes];

    /// <summary>A number from 0 to <paramref name="bound"/> - 1; each record is to be first by chance, since clients ask in patterns (A, then AAAA).</summary>
    public uint Below(uint bound)
    {
        // xorshift64* (Vigna 2016): the upper half of the product is good enough to deal with.
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return (uint)((((_state * 0x2545F4914F6CDD1D) >> 32) * bound) >> 32);
    }
}
