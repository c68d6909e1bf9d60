using System.Numerics;
using System.Runtime.InteropServices;

namespace Dataplane.Names;

/// <summary>All names of one server with their answers, ready made. Immutable.</summary>
/// <remarks>
/// Memory touched by a query for a name there is: one line of the slots, one of the entries, one of the sets, and name and answer, which lie
/// behind each other. A name there is not: one line of the slots, and one for each depth at which zones begin.
/// </remarks>
internal sealed class NameTable
{
    private readonly Slot[] _slots;
    private readonly NameEntry[] _entries;
    private readonly NameSet[] _sets;
    private readonly Zone[] _zones;
    private readonly int[] _depths;
    private readonly ulong _key;

    /// <param name="entries">The names.</param>
    /// <param name="sets">Their records, those of a name behind each other.</param>
    /// <param name="bytes">Names and records.</param>
    /// <param name="zones">The zones.</param>
    /// <param name="key">Key of the hash.</param>
    /// <param name="canForward">Whether names of others are asked upstream.</param>
    public NameTable(NameEntry[] entries, NameSet[] sets, byte[] bytes, Zone[] zones, ulong key, bool canForward)
    {
        (_entries, _sets, Bytes, _zones, _key, CanForward) = (entries, sets, bytes, zones, key, canForward);
        _depths = [.. zones.Where(zone => !zone.IsPartial).Select(zone => zone.Labels).Distinct().OrderDescending()];
        _slots = new Slot[BitOperations.RoundUpToPowerOf2((uint)Math.Max(8, entries.Length * 2))];
        for (int entry = 0; entry < entries.Length; entry++)
        {
            ulong hash = NameHash.Of(NameOf(entry), key);
            uint at = PlaceOf(hash);
            while (_slots[at].Entry != 0)
            {
                at = (at + 1) & (uint)(_slots.Length - 1);
            }

            _slots[at] = new Slot { Tag = (uint)hash, Entry = entry + 1 };
        }
    }

    /// <summary>A zone: the length of its name, and the end of the SOA record that denials carry, behind the owner's name (RFC 2308 3).</summary>
    internal readonly record struct Zone(int NameBytes, int Labels, bool IsPartial, int SoaOffset, int SoaBytes);

    public byte[] Bytes { get; }

    /// <summary>Whether names of others are asked upstream instead of refused.</summary>
    public bool CanForward { get; }

    public int Count => _entries.Length;

    public ReadOnlySpan<NameEntry> Entries => _entries;

    /// <summary>Number of the entry of a name, -1 when there is none.</summary>
    /// <param name="lowered">The name in lower case.</param>
    public int Find(ReadOnlySpan<byte> lowered)
    {
        ulong hash = NameHash.Of(lowered, _key);
        Slot[] slots = _slots;
        uint mask = (uint)slots.Length - 1, at = PlaceOf(hash);
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

    private uint PlaceOf(ulong hash) => (uint)(hash >> 32) & (uint)(_slots.Length - 1);

    [StructLayout(LayoutKind.Sequential, Size = 8)]
    private struct Slot
    {
        public uint Tag;
        public int Entry;
    }
}
