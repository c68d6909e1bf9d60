namespace Dataplane.Names;

/// <summary>Memory that the tables of one server share: what has been written for one table is never changed, later tables have more. Control side.</summary>
/// <remarks>Readers of a table follow its slots alone, which lead to nothing that was added later; so they need no lock while the control side adds.</remarks>
internal sealed class NameArena
{
    private const int FirstEntries = 16;

    private NameEntry[] _entries = new NameEntry[FirstEntries];
    private NameSet[] _sets = new NameSet[FirstEntries];
    private NameTable.Zone[] _zones = new NameTable.Zone[4];

    public RecordBytes Bytes { get; } = new();

    public NameEntry[] Entries => _entries;

    public NameSet[] Sets => _sets;

    public NameTable.Zone[] Zones => _zones;

    /// <summary>Entries so far, those of names included that are gone or have been compiled again.</summary>
    public int EntryCount { get; private set; }

    public int SetCount { get; private set; }

    public int ZoneCount { get; private set; }

    public int Add(in NameEntry entry)
    {
        Grow(ref _entries, EntryCount);
        _entries[EntryCount] = entry;
        return EntryCount++;
    }

    public void Add(in NameSet set)
    {
        Grow(ref _sets, SetCount);
        _sets[SetCount++] = set;
    }

    public int Add(NameTable.Zone zone)
    {
        Grow(ref _zones, ZoneCount);
        _zones[ZoneCount] = zone;
        return ZoneCount++;
    }

    /// <summary>The name of an entry, as it stands on the wire.</summary>
    public ReadOnlySpan<byte> NameOf(int entry) => Bytes.Span(_entries[entry].NameOffset, _entries[entry].NameBytes);

    private static void Grow<T>(ref T[] array, int count)
    {
        if (count == array.Length)
        {
            Array.Resize(ref array, count * 2);
        }
    }
}
