using System.Numerics;
using System.Runtime.InteropServices;

namespace Dataplane.Names;

/// <summary>Leads from the hash of a name to its entry: open addressing, at most half full. Each table has its own, made of those of the table before. Control side.</summary>
/// <param name="arena">Where the names are.</param>
/// <param name="key">Key of the hash.</param>
internal sealed class NameSlots(NameArena arena, ulong key)
{
    private const int MinSlots = 8;

    private Slot[] _slots = new Slot[MinSlots];
    private int _count;

    /// <summary>One place; 0 for no entry, else one more than its number.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 8)]
    internal struct Slot
    {
        public uint Tag;
        public int Entry;
    }

    /// <summary>Key of the hash.</summary>
    public ulong Key => key;

    public int Count => _count;

    /// <summary>The slots as they are, which the caller keeps: the next change must begin with <see cref="Begin"/>.</summary>
    public Slot[] Slots => _slots;

    /// <summary>Where the search for a hash begins.</summary>
    public static uint PlaceOf(ulong hash, int slots) => (uint)(hash >> 32) & ((uint)slots - 1);

    /// <summary>Begins changes, for which there must be room.</summary>
    /// <param name="names">How many names there may be afterwards.</param>
    public void Begin(int names)
    {
        var next = new Slot[Math.Max(_slots.Length, (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(MinSlots, names * 2)))];
        if (next.Length == _slots.Length)
        {
            _slots.CopyTo(next, 0);
            _slots = next;
            return;
        }

        Slot[] before = _slots;
        _slots = next;
        foreach (Slot slot in before.Where(slot => slot.Entry != 0))
        {
            Insert(slot.Entry - 1);
        }
    }

    public void Add(int entry)
    {
        Insert(entry);
        _count++;
    }

    /// <summary>Has the name of an entry lead to another entry of the same name.</summary>
    public void Replace(int entry, int by) => _slots[Find(entry)].Entry = by + 1;

    /// <summary>Takes an entry out. Those behind it close up, so that no search ends at the gap.</summary>
    public void Remove(int entry)
    {
        uint mask = (uint)_slots.Length - 1, gap = Find(entry);
        for (uint at = (gap + 1) & mask; _slots[at].Entry != 0; at = (at + 1) & mask)
        {
            uint home = PlaceOf(HashOf(_slots[at].Entry - 1), _slots.Length);
            if (((at - home) & mask) >= ((at - gap) & mask))
            {
                _slots[gap] = _slots[at];
                gap = at;
            }
        }

        _slots[gap] = default;
        _count--;
    }

    private ulong HashOf(int entry) => NameHash.Of(arena.NameOf(entry), key);

    private uint Find(int entry)
    {
        uint at = PlaceOf(HashOf(entry), _slots.Length);
        while (_slots[at].Entry != entry + 1)
        {
            at = (at + 1) & ((uint)_slots.Length - 1);
        }

        return at;
    }

    private void Insert(int entry)
    {
        ulong hash = HashOf(entry);
        uint at = PlaceOf(hash, _slots.Length);
        while (_slots[at].Entry != 0)
        {
            at = (at + 1) & ((uint)_slots.Length - 1);
        }

        _slots[at] = new Slot { Tag = (uint)hash, Entry = entry + 1 };
    }
}
