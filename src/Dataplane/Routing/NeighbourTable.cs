using System.Numerics;
using System.Runtime.CompilerServices;
using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>The neighbours of one worker: who has which hardware address on which port and VLAN.</summary>
/// <remarks>
/// Fixed memory: entries in an array, found by a hash with chains. When full, the longest unchanged entry that is stale is given up,
/// then the longest unanswered one; live and static entries never are, and the packet is dropped as <c>neighbour_table_full</c>.
/// The generation of an entry changes whenever it is freed, so that an index remembered elsewhere can be checked. Used by one thread.
/// </remarks>
internal sealed class NeighbourTable
{
    private readonly NeighbourEntry[] _entries;
    private readonly int[] _buckets;
    private readonly int[] _free;
    private int _freeCount;

    public NeighbourTable(int capacity)
    {
        _entries = new NeighbourEntry[capacity];
        _buckets = new int[(int)BitOperations.RoundUpToPowerOf2((uint)capacity * 2)];
        _buckets.AsSpan().Fill(-1);
        _free = new int[capacity];
        for (int i = 0; i < capacity; i++)
        {
            _free[i] = capacity - 1 - i;
            _entries[i].Generation = 1;
        }

        _freeCount = capacity;
    }

    public int Capacity => _entries.Length;

    public int Count => Capacity - _freeCount;

    public ref NeighbourEntry this[int index] => ref _entries[index];

    /// <summary>Index of a neighbour, or -1.</summary>
    public int Find(ushort port, ushort vlan, IpAddress address)
    {
        for (int index = _buckets[BucketOf(port, vlan, address)]; index >= 0; index = _entries[index].NextInBucket)
        {
            ref NeighbourEntry entry = ref _entries[index];
            if (entry.Port == port && entry.Vlan == vlan && entry.Address == address)
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>True when the entry remembered is still the same and may be used.</summary>
    public bool IsUsable(int index, uint generation) =>
        (uint)index < (uint)_entries.Length && _entries[index].Generation == generation && _entries[index].IsUsable;

    /// <summary>True when the entry remembered is still the same, may be used and needs no probe.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public bool IsConfirmed(int index, uint generation)
    {
        NeighbourEntry[] entries = _entries;
        return (uint)index < (uint)entries.Length && entries[index].Generation == generation
            && entries[index].IsUsable && entries[index].State != NeighbourState.Stale;
    }

    /// <summary>Adds a neighbour that is not in the table.</summary>
    /// <returns>Its index, or -1 when the table is full.</returns>
    public int Add(ushort port, ushort vlan, IpAddress address, NeighbourState state, ulong mac, long nowNs)
    {
        if (_freeCount == 0)
        {
            return -1;
        }

        int index = _free[--_freeCount];
        ref NeighbourEntry entry = ref _entries[index];
        uint bucket = BucketOf(port, vlan, address);
        entry = new NeighbourEntry
        {
            Address = address,
            Port = port,
            Vlan = vlan,
            Mac = mac,
            State = state,
            Generation = entry.Generation,
            LastChangeNs = nowNs,
            HeldFirst = -1,
            HeldLast = -1,
            NextInBucket = _buckets[bucket],
        };
        _buckets[bucket] = index;
        return index;
    }

    /// <summary>The entry to give up when the table is full, or -1 when none may be.</summary>
    public int FindVictim()
    {
        int stale = -1, incomplete = -1;
        for (int i = 0; i < _entries.Length; i++)
        {
            ref NeighbourEntry entry = ref _entries[i];
            if (entry.State == NeighbourState.Stale && (stale < 0 || entry.LastChangeNs < _entries[stale].LastChangeNs))
            {
                stale = i;
            }
            else if (entry.State == NeighbourState.Incomplete && (incomplete < 0 || entry.LastChangeNs < _entries[incomplete].LastChangeNs))
            {
                incomplete = i;
            }
        }

        return stale >= 0 ? stale : incomplete;
    }

    /// <summary>Frees an entry; whatever it held must be taken out before.</summary>
    public void Remove(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        uint bucket = BucketOf(entry.Port, entry.Vlan, entry.Address);
        if (_buckets[bucket] == index)
        {
            _buckets[bucket] = entry.NextInBucket;
        }
        else
        {
            int previous = _buckets[bucket];
            while (_entries[previous].NextInBucket != index)
            {
                previous = _entries[previous].NextInBucket;
            }

            _entries[previous].NextInBucket = entry.NextInBucket;
        }

        entry = new NeighbourEntry { Generation = entry.Generation + 1 };
        _free[_freeCount++] = index;
    }

    /// <summary>Becomes a copy of another table of the same capacity, less what it holds.</summary>
    public void CopyFrom(NeighbourTable other)
    {
        other._entries.AsSpan().CopyTo(_entries);
        other._buckets.AsSpan().CopyTo(_buckets);
        other._free.AsSpan().CopyTo(_free);
        _freeCount = other._freeCount;
        foreach (ref NeighbourEntry entry in _entries.AsSpan())
        {
            (entry.HeldFirst, entry.HeldLast, entry.HeldCount) = (-1, -1, 0);
        }
    }

    private uint BucketOf(ushort port, ushort vlan, IpAddress address)
    {
        ulong mixed = (address.High ^ ((ulong)port << 52) ^ ((ulong)vlan << 40)) * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 29) ^ address.Low) * 0xBF58476D1CE4E5B9;
        return (uint)(mixed >> 32) & ((uint)_buckets.Length - 1);
    }
}
