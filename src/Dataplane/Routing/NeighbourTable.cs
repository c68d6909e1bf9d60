using System.Numerics;
using System.Runtime.CompilerServices;
using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>The neighbours of one worker: who has which hardware address on which port and VLAN.</summary>
/// <remarks>
/// Fixed memory: entries in an array, found by a hash with chains; keyed, since whoever is on a link of 2^64 addresses could make chains of any length. When full, the
/// longest unchanged entry that is stale is given up, then the longest unanswered one; live and static entries never are, and the packet is dropped as
/// <c>neighbour_table_full</c>. Once a quarter of the table waits for answers, the unanswered give way first: whoever has packets sent to every address of a link
/// must not drive out the neighbours there are (RFC 6583 6.2). Which it is, is known at once: those of the two states are chained in the order in which they came to be so.
/// The generation of an entry changes whenever it is freed, so that an index remembered elsewhere can be checked. Used by one thread.
/// </remarks>
internal sealed class NeighbourTable
{
    private readonly NeighbourEntry[] _entries;
    private readonly int[] _buckets;
    private readonly int[] _free;
    private readonly FlowHash _hash;
    private int _freeCount;
    private Chain _stale = Chain.Empty, _incomplete = Chain.Empty;

    public NeighbourTable(int capacity, FlowHash hash)
    {
        _hash = hash;
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
            Generation = entry.Generation,
            LastChangeNs = nowNs,
            HeldFirst = -1,
            HeldLast = -1,
            NextInBucket = _buckets[bucket],
        };
        _buckets[bucket] = index;
        Turn(index, state);
        return index;
    }

    /// <summary>Changes the state of an entry; also from one to the same, which makes it the latest of these.</summary>
    public void Turn(int index, NeighbourState state)
    {
        ref NeighbourEntry entry = ref _entries[index];
        switch (entry.State)
        {
            case NeighbourState.Stale:
                Unchain(ref _stale, in entry);
                break;
            case NeighbourState.Incomplete:
                Unchain(ref _incomplete, in entry);
                break;
        }

        entry.State = state;
        switch (state)
        {
            case NeighbourState.Stale:
                Append(ref _stale, index);
                break;
            case NeighbourState.Incomplete:
                Append(ref _incomplete, index);
                break;
        }
    }

    /// <summary>The entry to give up when the table is full, or -1 when none may be.</summary>
    public int FindVictim() => _stale.First < 0 || _incomplete.Count > Capacity / 4 ? _incomplete.First : _stale.First;

    /// <summary>Frees an entry; whatever it held must be taken out before.</summary>
    public void Remove(int index)
    {
        Turn(index, NeighbourState.Free);
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

    /// <summary>Becomes a copy of another table of the same capacity and hash, less what it holds.</summary>
    public void CopyFrom(NeighbourTable other)
    {
        other._entries.AsSpan().CopyTo(_entries);
        other._buckets.AsSpan().CopyTo(_buckets);
        other._free.AsSpan().CopyTo(_free);
        (_freeCount, _stale, _incomplete) = (other._freeCount, other._stale, other._incomplete);
        foreach (ref NeighbourEntry entry in _entries.AsSpan())
        {
            (entry.HeldFirst, entry.HeldLast, entry.HeldCount) = (-1, -1, 0);
        }
    }

    private uint BucketOf(ushort port, ushort vlan, IpAddress address)
    {
        // Port and VLAN identifier are twelve bits each.
        uint link = ((uint)port << 12) ^ vlan;
        return _hash.OfEndpoint(address.High, address.Low, (ushort)(link >> 8), (byte)link) & ((uint)_buckets.Length - 1);
    }

    private void Append(ref Chain chain, int index)
    {
        (_entries[index].EarlierOfState, _entries[index].LaterOfState) = (chain.Last, -1);
        if (chain.Last < 0)
        {
            chain.First = index;
        }
        else
        {
            _entries[chain.Last].LaterOfState = index;
        }

        chain.Last = index;
        chain.Count++;
    }

    private void Unchain(ref Chain chain, in NeighbourEntry entry)
    {
        if (entry.EarlierOfState < 0)
        {
            chain.First = entry.LaterOfState;
        }
        else
        {
            _entries[entry.EarlierOfState].LaterOfState = entry.LaterOfState;
        }

        if (entry.LaterOfState < 0)
        {
            chain.Last = entry.EarlierOfState;
        }
        else
        {
            _entries[entry.LaterOfState].EarlierOfState = entry.EarlierOfState;
        }

        chain.Count--;
    }

    /// <summary>Entries of one state, the one that has been in it longest first.</summary>
    private struct Chain
    {
        public static Chain Empty => new() { First = -1, Last = -1 };

        public int First, Last, Count;
    }
}
