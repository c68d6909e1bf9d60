using Dataplane.Packets;

namespace Dataplane.Tests.Routing;

/// <summary>The oracle for large tables: a dictionary for each prefix length, asked from the longest on; of equal prefixes the last counts.</summary>
internal sealed class LengthByLength
{
    private readonly Dictionary<(IpFamily Family, UInt128 First), int>[] _byLength = [.. Enumerable.Range(0, 129).Select(_ => new Dictionary<(IpFamily, UInt128), int>())];

    public LengthByLength(IEnumerable<(IpPrefix Prefix, int Value)> routes)
    {
        foreach ((IpPrefix prefix, int value) in routes)
        {
            _byLength[prefix.Length][(prefix.Family, prefix.First.Bits)] = value;
        }
    }

    /// <summary>The value of the longest prefix that holds an address, 0 for none.</summary>
    public int Lookup(IpAddress address)
    {
        for (int length = address.BitLength; length >= 0; length--)
        {
            if (_byLength[length].TryGetValue((address.Family, new IpPrefix(address, length).First.Bits), out int value))
            {
                return value;
            }
        }

        return 0;
    }
}
