namespace Dataplane.Names;

/// <summary>One name of a table.</summary>
internal struct NameEntry
{
    /// <summary>Where the name in lower case begins in the table's bytes.</summary>
    public int NameOffset;

    /// <summary>Its first set of records.</summary>
    public int FirstSet;

    /// <summary>Number of sets; 0 for a name that only has others below it (RFC 8020).</summary>
    public ushort Sets;

    /// <summary>Number of its zone.</summary>
    public ushort Zone;

    /// <summary>Length of the name.</summary>
    public byte NameBytes;

    /// <summary>Whether it is the name of the zone.</summary>
    public bool IsApex;
}
