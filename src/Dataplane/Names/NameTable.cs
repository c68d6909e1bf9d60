namespace Dataplane.Names;

/// <summary>All names of one server with their answers, ready made. Immutable.</summary>
/// <remarks>
/// Memory touched by a query for a name there is: one line of the slots, one of the entries, one of the sets, and name and answer, which lie
/// behind each other. A name there is not: one line of the slots, and one for each depth at which zones begin.
/// </remarks>
internal sealed class NameTable
{
    private readonly NameSlots.Slot[] _slots;
    private readonly NameEntry[] _entries;
    private readonly NameSet[] _sets;
    private readonly Zone[] _zones;
    private readonly int[] _depths;
    private readonly ulong _key;

    /// <param name="arena">Names, records and zones.</param>
    /// <param name="slots">Which of them are there.</param>
    /// <param name="depths">How many labels the names of zones have that are whole, most first.</param>
    /// <param name="canForward">Whether names of others are asked upstream.</param>
    public NameTable(NameArena arena, NameSlots slots, int[] depths, bool canForward)
    {
        (_entries, _sets, _zones, Bytes) = (arena.Entries, arena.Sets, arena.Zones, arena.Bytes.Array);
        (_slots, _key, Count, _depths, CanForward) = (slots.Slots, slots.Key, slots.Count, depths, canForward);
    }

    /// <summary>A zone: the length of its name, and the end of the SOA record that denials carry, behind the owner's name (RFC 2308 3).</summary>
    internal readonly record struct Zone(int NameBytes, int Labels, bool IsPartial, int SoaOffset, int SoaBytes);

    public byte[] Bytes { get; }

    /// <summary>Whether names of others are asked upstream instead of refused.</summary>
    public bool CanForward { get; }

    /// <summary>How many names there are.</summary>
    public int Count { get; }

    /// <summary>Number of the entry of a name, -1 when there is none.</summary>
    /// <param name="lowered">The name in lower case.</param>
    public int Find(ReadOnlySpan<byte> lowered)
    {
        ulong hash = NameHash.Of(lowered, _key);
        NameSlots.Slot[] slots = _slots;
        uint mask = (uint)slots.Length - 1, at = NameSlots.PlaceOf(hash, slots.Length);
        while (slots[at & mask].Entry is int entry and not 0)
        {
            if (slots[at & mask].Tag == (uint)hash && NameOf(entry - 1).SequenceEqual(lowered))
            {
                return entry - 1;
            }

            at++;
        }

        return -1;
    }

    /// <summary>The zone that a name without an entry would be in; -1 when that is a matter of others.</summary>
    /// <param name="lowered">The name in lower case.</param>
    /// <param name="labels">How many labels it has.</param>
    public int FindZone(ReadOnlySpan<byte> lowered, int labels)
    {
        int at = 0;
        foreach (int depth in _depths)
        {
            for (; labels > depth; labels--)
            {
                at += lowered[at] + 1;
            }

            if (labels == depth && Find(lowered[at..]) is >= 0 and int entry && _entries[entry].IsApex)
            {
                return _entries[entry].Zone;
            }
        }

        return -1;
    }

    public ref readonly NameEntry EntryOf(int entry) => ref _entries[entry];

    public ref readonly Zone ZoneOf(int zone) => ref _zones[zone];

    /// <summary>The sets of a name.</summary>
    public ReadOnlySpan<NameSet> SetsOf(in NameEntry entry) => _sets.AsSpan(entry.FirstSet, entry.Sets);

    private ReadOnlySpan<byte> NameOf(int entry) => Bytes.AsSpan(_entries[entry].NameOffset, _entries[entry].NameBytes);
}
