namespace Dataplane.Native;

/// <summary>Classes of addresses: tables for IPv4, or a trie for either family.</summary>
internal readonly struct AddressTable
{
    /// <summary>Takes tables for IPv4.</summary>
    public AddressTable(Ipv4ClassTable direct) => Direct = direct;

    /// <summary>Takes a trie.</summary>
    public AddressTable(PrefixTable trie) => Trie = trie;

    /// <summary>Tables for IPv4, or null.</summary>
    public Ipv4ClassTable? Direct { get; }

    /// <summary>A trie, or null.</summary>
    public PrefixTable? Trie { get; }

    /// <summary>The number of classes.</summary>
    public int Classes => Direct?.Classes ?? Trie!.Classes;

    /// <summary>Bytes of the tables.</summary>
    public long SizeBytes => Direct?.SizeBytes ?? Trie!.SizeBytes;

    /// <summary>The class of one address; of IPv4 the lower half counts.</summary>
    public int Find(bool isV4, ulong high, ulong low) => Direct is not null ? Direct.Find((uint)low) : isV4 ? Trie!.Find((uint)low) : Trie!.Find(high, low);
}
