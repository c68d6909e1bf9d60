namespace Dataplane.Names;

/// <summary>The answer to one type of question about one name: records ready to be copied behind the question, which always has the same length for a name.</summary>
internal struct NameSet
{
    /// <summary>Type asked for; <see cref="AnyOther"/>: every type that has no set, which is how an alias answers.</summary>
    public ushort Type;

    /// <summary>Records, those before the rotated ones included.</summary>
    public ushort Count;

    /// <summary>Where the records begin in the table's bytes, and how long they are.</summary>
    public int Offset, Bytes;

    /// <summary>Records that stay in front: the aliases that lead to the others.</summary>
    public ushort PrefixCount, PrefixBytes;

    /// <summary>Length of each record behind those when all are alike and may be rotated; else 0.</summary>
    public ushort RecordBytes;

    /// <summary>How many entries the list of first records has, which gives each its share by weight; 0: each is first as often as the others.</summary>
    public ushort Starts;

    /// <summary>Where that list begins: 16-bit numbers of records.</summary>
    public int StartsOffset;

    /// <summary>Records that spare the sender another question: addresses of the hosts in SRV records.</summary>
    public int AdditionalOffset;
    public ushort AdditionalBytes, AdditionalCount;

    /// <summary>Whether the alias leads to a name of others, whose records must be asked for.</summary>
    public bool IsAliasOfOthers;

    /// <summary>Whether its addresses were made up by DNS64, which some do not want.</summary>
    public bool IsSynthesized;

    /// <summary>Of <see cref="Type"/>.</summary>
    public const ushort AnyOther = 0;
}
