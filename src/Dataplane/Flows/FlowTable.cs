using System.Numerics;
using System.Runtime.Intrinsics;
using Dataplane.Packets;

namespace Dataplane.Flows;

/// <summary>The flows of one worker: two-choice hash of 8-way buckets over a fixed array of entries.</summary>
/// <remarks>
/// <para>A bucket is eight 16-bit tags, compared with one vector instruction, and eight entry indices. An entry stands in one of two
/// buckets given by its hash. A hit costs one tag line, one index line and the entry's two lines; a miss two tag lines.</para>
/// <para>Memory is fixed: nothing is allocated behind the constructor. When both buckets of a new flow are full, the flow in them that
/// has been idle longest in proportion to what its state allows is given up if that is more than half of it; otherwise the new flow is
/// refused and its packet dropped as <c>flow_table_full</c>: established flows are never lost to new ones.</para>
/// <para>Ageing has no timers: <see cref="Sweep"/> looks at some entries per batch like the hand of a clock. Used by one thread.</para>
/// </remarks>
internal sealed class FlowTable
{
    private const int Ways = 8;

    /// <summary>Nanoseconds per tick as a shift: 16.8 ms, so that 32 bits last over two years.</summary>
    private const int TickShift = 24;

    private readonly ushort[] _tags;
    private readonly int[] _slots;
    private readonly FlowEntry[] _entries;
    private readonly int[] _free;
    private readonly int[] _retired = new int[2 * PacketBatch.Capacity];
    private readonly uint _bucketMask;
    private int _freeCount;
    private int _retiredCount;
    private int _hand;

    /// <summary>Makes an empty table.</summary>
    /// <param name="capacity">Entries, two per flow; rounded up to a power of two, at least 16.</param>
    public FlowTable(int capacity)
    {
        Capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(capacity, 16));

        // Twice as many places as entries: at full load a bucket is half full, so that two choices practically never both overflow.
        int buckets = Capacity * 2 / Ways;
        _bucketMask = (uint)buckets - 1;
        _tags = new ushort[buckets * Ways];
        _slots = new int[buckets * Ways];
        _entries = GC.AllocateArray<FlowEntry>(Capacity, pinned: true);
        _free = new int[Capacity];
        for (int i = 0; i < Capacity; i++)
        {
            _free[i] = Capacity - 1 - i;
        }

        _freeCount = Capacity;
    }

    /// <summary>Entries at most.</summary>
    public int Capacity { get; }

    /// <summary>Entries in use.</summary>
    public int Count => Capacity - _freeCount;

    /// <summary>Flows forgotten because they were idle too long.</summary>
    public long Expired { get; private set; }

    /// <summary>Flows given up before their time to make room.</summary>
    public long Evicted { get; private set; }

    /// <summary>The entry at an index returned by this table.</summary>
    public ref FlowEntry this[int index] => ref _entries[index];

    /// <summary>Converts worker time to ticks of <see cref="FlowEntry.LastSeen"/>.</summary>
    public static uint Ticks(long nowNs) => (uint)(nowNs >> TickShift);

    /// <summary>Finds the entry of a key.</summary>
    /// <returns>Its index, or -1.</returns>
    public int Find(in FlowKey key, uint hash)
    {
        ushort tag = TagOf(hash);
        uint bucket = hash & _bucketMask;
        int found = FindIn(bucket, tag, in key);
        return found >= 0 ? found : FindIn(OtherBucket(bucket, tag), tag, in key);
    }

    private int FindIn(uint bucket, ushort tag, in FlowKey key)
    {
        int first = (int)bucket * Ways;
        uint matches = Vector128.Equals(Vector128.Create(_tags.AsSpan(first, Ways)), Vector128.Create(tag)).ExtractMostSignificantBits();
        while (matches != 0)
        {
            int index = _slots[first + BitOperations.TrailingZeroCount(matches)];
            if (_entries[index].Key.Equals(in key))
            {
                return index;
            }

            matches &= matches - 1;
        }

        return -1;
    }

    /// <summary>Adds both directions of a flow.</summary>
    /// <param name="forward">Direction of the first packet; its hash set, its peer not.</param>
    /// <param name="reverse">The other direction; neither key may be in the table yet.</param>
    /// <param name="nowNs">Worker time.</param>
    /// <returns>Index of the forward entry, or -1 when the table is full of flows that may not be given up.</returns>
    public int InsertPair(in FlowEntry forward, in FlowEntry reverse, long nowNs)
    {
        if (_freeCount < 2 && !EvictFrom(forward.Hash, nowNs) && !EvictFrom(reverse.Hash, nowNs))
        {
            return -1;
        }

        int first = Insert(in forward, nowNs);
        if (first < 0)
        {
            return -1;
        }

        int second = Insert(in reverse, nowNs);
        if (second < 0 || _entries[first].State == FlowState.Free)
        {
            // The second found no room, or made it by giving up the first.
            Detach(first);
            Detach(second);
            return -1;
        }

        uint ticks = Ticks(nowNs);
        _entries[first].Peer = second;
        _entries[second].Peer = first;
        _entries[first].LastSeen = ticks;
        _entries[second].LastSeen = ticks;
        _entries[first].IsForward = true;
        _entries[second].IsForward = false;
        return first;
    }

    /// <summary>Removes a flow, both directions.</summary>
    public void RemovePair(int index)
    {
        int peer = _entries[index].Peer;
        Detach(index);
        Detach(peer);
    }

    /// <summary>Ends a flow, both directions: it is not found any more, but its entries stay as they are until <see cref="ReleaseRetired"/>.</summary>
    /// <remarks>Packets of the batch in hand may refer to it; their entries must not become another flow's before the batch has left.
    /// At most one flow per packet of a batch can be retired.</remarks>
    public void RetirePair(int index)
    {
        int peer = _entries[index].Peer;
        Unlink(index);
        Unlink(peer);
        _retired[_retiredCount++] = index;
        _retired[_retiredCount++] = peer;
    }

    /// <summary>Frees the entries of retired flows. Between two batches only.</summary>
    public void ReleaseRetired()
    {
        while (_retiredCount > 0)
        {
            Free(_retired[--_retiredCount]);
        }
    }

    /// <summary>Looks at the next entries and forgets flows idle for too long. Between two batches only.</summary>
    /// <param name="entries">How many to look at.</param>
    /// <param name="nowNs">Worker time.</param>
    public void Sweep(int entries, long nowNs)
    {
        ReleaseRetired();
        if (_freeCount == Capacity)
        {
            return;
        }

        uint now = Ticks(nowNs);
        for (int i = 0; i < entries; i++)
        {
            int index = _hand;
            _hand = (_hand + 1) & (Capacity - 1);
            ref FlowEntry entry = ref _entries[index];
            if (entry.State != FlowState.Free && entry.IsForward && IdleTicks(index, now) > TimeoutTicks(entry.State))
            {
                RemovePair(index);
                Expired++;
            }
        }
    }

    /// <summary>Idle time after which a flow in this state is forgotten, in ticks.</summary>
    public static uint TimeoutTicks(FlowState state) => state switch
    {
        FlowState.TcpEstablished => Seconds(7440),
        FlowState.TcpTransitory => Seconds(240),
        FlowState.TcpClosing => Seconds(120),
        _ => Seconds(300),
    };

    private static uint Seconds(long seconds) => (uint)((seconds * 1_000_000_000) >> TickShift);

    private uint IdleTicks(int index, uint now)
    {
        // The direction seen last counts; differences survive the wrap of the counter.
        uint own = now - _entries[index].LastSeen;
        uint peer = now - _entries[_entries[index].Peer].LastSeen;
        return Math.Min(own, peer);
    }

    private int Insert(in FlowEntry entry, long nowNs)
    {
        int place = FreePlace(entry.Hash);
        if (place < 0 && EvictFrom(entry.Hash, nowNs))
        {
            place = FreePlace(entry.Hash);
        }

        if (place < 0 || _freeCount == 0)
        {
            return -1;
        }

        int index = _free[--_freeCount];
        _entries[index] = entry;
        _entries[index].Peer = index;
        _slots[place] = index;
        _tags[place] = TagOf(entry.Hash);
        return index;
    }

    /// <summary>A free place in the emptier of the two buckets, or -1.</summary>
    private int FreePlace(uint hash)
    {
        ushort tag = TagOf(hash);
        uint one = hash & _bucketMask, other = OtherBucket(one, tag);
        uint freeInOne = FreeWays(one), freeInOther = FreeWays(other);
        bool takeOther = BitOperations.PopCount(freeInOther) > BitOperations.PopCount(freeInOne);
        uint free = takeOther ? freeInOther : freeInOne;
        return free == 0 ? -1 : ((int)(takeOther ? other : one) * Ways) + BitOperations.TrailingZeroCount(free);
    }

    private uint FreeWays(uint bucket) =>
        Vector128.Equals(Vector128.Create(_tags.AsSpan((int)bucket * Ways, Ways)), Vector128<ushort>.Zero).ExtractMostSignificantBits();

    private bool EvictFrom(uint hash, long nowNs)
    {
        ushort tag = TagOf(hash);
        uint bucket = hash & _bucketMask, now = Ticks(nowNs);
        int victim = -1;
        double longest = 0.5;
        for (int side = 0; side < 2; side++, bucket = OtherBucket(bucket, tag))
        {
            int first = (int)bucket * Ways;
            for (int way = 0; way < Ways; way++)
            {
                int index = _slots[first + way];
                if (_tags[first + way] == 0 || _entries[index].Peer == index)
                {
                    continue;
                }

                double idle = (double)IdleTicks(index, now) / TimeoutTicks(_entries[index].State);
                if (idle > longest)
                {
                    (longest, victim) = (idle, index);
                }
            }
        }

        if (victim < 0)
        {
            return false;
        }

        RemovePair(victim);
        Evicted++;
        return true;
    }

    private void Detach(int index)
    {
        if (index < 0 || _entries[index].State == FlowState.Free)
        {
            return;
        }

        Unlink(index);
        Free(index);
    }

    /// <summary>Takes an entry out of its bucket: it is not found any more.</summary>
    private void Unlink(int index)
    {
        uint hash = _entries[index].Hash;
        uint bucket = hash & _bucketMask;
        if (!ClearPlace(bucket, index))
        {
            ClearPlace(OtherBucket(bucket, TagOf(hash)), index);
        }
    }

    private void Free(int index)
    {
        _entries[index] = default;
        _free[_freeCount++] = index;
    }

    private bool ClearPlace(uint bucket, int index)
    {
        int first = (int)bucket * Ways;
        for (int way = 0; way < Ways; way++)
        {
            if (_tags[first + way] != 0 && _slots[first + way] == index)
            {
                _tags[first + way] = 0;
                return true;
            }
        }

        return false;
    }

    /// <summary>Upper half of the hash, never 0: 0 marks a free place.</summary>
    private static ushort TagOf(uint hash) => (ushort)Math.Max(hash >> 16, 1);

    /// <summary>The other bucket of an entry, from either bucket and the tag alone (partial-key cuckoo hashing, Fan et al. 2014).</summary>
    private uint OtherBucket(uint bucket, ushort tag) => (bucket ^ (tag * 0x5BD1E995u)) & _bucketMask;
}
