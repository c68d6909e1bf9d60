using Dataplane.Native;

namespace Dataplane.Filtering;

/// <summary>From an address to the number of the longest prefix that holds it, its class. Immutable.</summary>
internal sealed partial class PrefixMap
{
    /// <summary>Prefixes, each once, in order of address and then of length; class n + 1 is that of prefix n, class 0 of addresses in none.</summary>
    public PrefixMap(ReadOnlySpan<PrefixKey> prefixes, bool isV4)
    {
        Parents = ParentsOf(prefixes);
        Table = isV4 && Ipv4Cells.Build(prefixes) is Ipv4ClassTable direct
            ? new AddressTable(direct) : new AddressTable(new Builder(prefixes, Parents).Table());
    }

    /// <summary>By class: that of the next shorter prefix around it; of class 0: -1. A parent has a lower number.</summary>
    public int[] Parents { get; }

    /// <summary>The number of classes.</summary>
    public int Count => Parents.Length;

    /// <summary>What lookups read: tables for IPv4, unless they would be too large; then, and for IPv6, a trie.</summary>
    public AddressTable Table { get; }

    private static int[] ParentsOf(ReadOnlySpan<PrefixKey> prefixes)
    {
        int[] parents = new int[prefixes.Length + 1];
        parents[0] = -1;
        for (int i = 0; i < prefixes.Length; i++)
        {
            // The one before in order is around this one, or has the next around it among its own parents.
            int parent = i;
            while (parent > 0 && !prefixes[parent - 1].Contains(prefixes[i]))
            {
                parent = parents[parent];
            }

            parents[i + 1] = parent;
        }

        return parents;
    }
}
