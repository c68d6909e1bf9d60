using System.Numerics;
using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Flows;

/// <summary>The flows of one worker: a fixed array of entries, found through <see cref="FlowBuckets"/>.</summary>
/// <remarks>
/// <para>A hit costs one line of a bucket and the entry's two; a miss one or two lines of buckets.</para>
/// <para>Memory is fixed: nothing is allocated behind the constructor. When both buckets of a new flow are full, the flow in them that
/// has been idle longest in proportion to what its state allows is given up if that is more than half of it; otherwise the new flow is
/// refused and its packet dropped as <c>flow_table_full</c>: established flows are never lost to new ones.</para>
/// <para>Ageing has no timers: <see cref="Sweep"/> looks at some entries per batch like the hand of a clock. Used by one thread.</para>
/// </remarks>
internal sealed class FlowTable
{
    /// <summary>How many packets ahead a bucket is asked for.</summary>
    private const int Ahead = 16;

    /// <summary>Nanoseconds per tick as a shift: 16.8 ms, so that 32 bits last over two years.</summary>
    private const int TickShift = 24;

    private readonly FlowBuckets _buckets;
    private readonly MappedArray<FlowEntry> _entries;
    private readonly int[] _free;
    private readonly int[] _retired = new int[2 * PacketBatch.Capacity];
    private MappedArray<Connection>? _connections;
    private int _freeCount;
    private int _retiredCount;
    private int _hand;

    /// <summary>Makes an empty table.</summary>
    /// <param name="capacity">Entries, two per flow; at least 16.</param>
    public FlowTable(int capacity)
    {
        Capacity = Math.Max(capacity, 16);

        // At most 85 % of the places are ever used: there a search for room is short, and never in vain.
        _buckets = new FlowBuckets((int)BitOperations.RoundUpToPowerOf2((uint)((long)Capacity * 100 / 85 / FlowBuckets.Ways) + 1));
        _entries = new MappedArray<FlowEntry>(Capacity);
        _free = new int[Capacity];
        for (int i = 0; i < Capacity; i++)
        {
            _free[i] = Capacity - 1 - i;
        }

        _freeCount = Capacity;
    }

    /// <summary>Entries at most.</summary>
    public int Capacity { get; }

    /// <summary>Places for entries in the buckets; at most 85 % are used.</summary>
    public long Places => _buckets.Places;

    /// <summary>Bytes of entries and buckets, all of them from the start.</summary>
    public long MemoryBytes => _entries.LengthBytes + _buckets.MemoryBytes + ((long)_free.Length * sizeof(int)) + (_connections?.LengthBytes ?? 0);

    /// <summary>Entries in use.</summary>
    public int Count => Capacity - _freeCount;

    /// <summary>Flows forgotten because they were idle too long.</summary>
    public long Expired { get; private set; }

    /// <summary>Flows given up before their time to make room.</summary>
    public long Evicted { get; private set; }

    /// <summary>Idle times by slot of <see cref="FlowEntry.Backend"/>; where there is none, <see cref="FlowTimeouts.Default"/> hold.</summary>
    public FlowTimeouts?[] TimeoutsBySlot { get; set; } = [];

    /// <summary>Counters by slot of <see cref="FlowEntry.Backend"/>, of which the table keeps the number of flows that remember the slot.</summary>
    public BackendCounter[] CountersBySlot { get; set; } = [];

    /// <summary>Flows in use: those that packets find.</summary>
    public int FlowCount => (Capacity - _freeCount - _retiredCount) / 2;

    /// <summary>The entry at an index returned by this table.</summary>
    public ref FlowEntry this[int index] => ref _entries[index];

    /// <summary>Makes room for what is followed of connections, if there is none yet. Control side, before tables that need it are published.</summary>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    public void Track()
    {
        if (_connections is null)
        {
            Volatile.Write(ref _connections, new MappedArray<Connection>(Capacity));
        }
    }

    /// <summary>The connection of a flow, from either of its entries. Only behind <see cref="Track"/>.</summary>
    public ref Connection ConnectionOf(int index)
    {
        ref readonly FlowEntry entry = ref this[index];
        return ref ConnectionAt(entry.IsForward ? index : entry.Peer);
    }

    /// <summary>The connection of a flow, from its forward entry.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref Connection ConnectionAt(int forward) => ref _connections![forward];

    /// <summary>Asks the processor for the connections of candidates, whose entries have been asked for before.</summary>
    public void AskForConnections(ReadOnlySpan<int> candidates)
    {
        foreach (int candidate in candidates)
        {
            if (candidate >= 0)
            {
                ref readonly FlowEntry entry = ref this[candidate];
                _connections!.Prefetch(entry.IsForward ? candidate : entry.Peer);
            }
        }
    }

    /// <summary>Converts worker time to ticks of <see cref="FlowEntry.LastSeen"/>.</summary>
    public static uint Ticks(long nowNs) => (uint)(nowNs >> TickShift);

    /// <summary>How long ago a tick was.</summary>
    public static TimeSpan IdleTime(uint tick, long nowNs) => TimeSpan.FromMicroseconds(((long)(Ticks(nowNs) - tick) << TickShift) / 1000);

    /// <summary>Copies entries in use, some at a time, so that a table of millions can be listed between batches without a pause.</summary>
    /// <param name="cursor">Where to go on; 0 at first.</param>
    /// <param name="target">Receives them.</param>
    /// <param name="looks">Entries to look at, in use or not.</param>
    /// <returns>How many were copied. The table has been listed when the cursor is at <see cref="Capacity"/>; what changed meanwhile may be missing.</returns>
    public int Copy(ref int cursor, Span<FlowEntry> target, int looks)
    {
        int count = 0;
        for (; looks > 0 && cursor < Capacity && count < target.Length; looks--, cursor++)
        {
            if (this[cursor].State is not (FlowState.Free or FlowState.Ended))
            {
                target[count++] = this[cursor];
            }
        }

        return count;
    }

    /// <summary>Finds the entry of a key.</summary>
    /// <returns>Its index, or -1.</returns>
    public int Find(in FlowKey key, uint hash)
    {
        int index = _buckets.Next(hash, FlowBuckets.None);
        while (index >= 0 && !this[index].Key.Equals(in key))
        {
            index = _buckets.Next(hash, index);
        }

        return index;
    }

    /// <summary>Finds the entries of many keys at once, so that the processor waits for many lines at a time and not for each.</summary>
    /// <param name="packets">Keys and hashes.</param>
    /// <param name="found">Receives the index of each, or -1.</param>
    public void Find(ReadOnlySpan<ParsedFrame> packets, Span<int> found)
    {
        FindCandidates(packets, found, wholeEntries: false);
        for (int i = 0; i < packets.Length; i++)
        {
            int candidate = found[i];
            if (candidate >= 0 && !this[candidate].Key.Equals(in packets[i].Key))
            {
                found[i] = Find(in packets[i].Key, packets[i].Hash);
            }
        }
    }

    /// <summary>Looks in the buckets only: the entry each hash most likely belongs to. Keys are still to be compared; their lines have been asked for.</summary>
    /// <param name="packets">Hashes.</param>
    /// <param name="candidates">Receives an index for each, or -1 when there is certainly no such flow.</param>
    /// <param name="wholeEntries">Whether to ask for the second line of entries too, which says how packets are to leave.</param>
    public void FindCandidates(ReadOnlySpan<ParsedFrame> packets, Span<int> candidates, bool wholeEntries)
    {
        int asked = Math.Min(Ahead, packets.Length), away = 0;
        for (int i = 0; i < asked; i++)
        {
            _buckets.Prefetch(packets[i].Hash);
        }

        candidates = candidates[..packets.Length];
        for (int i = 0; i < packets.Length; i++)
        {
            if (asked < packets.Length)
            {
                _buckets.Prefetch(packets[asked++].Hash);
            }

            int index = _buckets.Candidate(packets[i].Hash);
            candidates[i] = index;
            away += index == FlowBuckets.Away ? 1 : 0;
            Ask(index, wholeEntries);
        }

        for (int i = 0; away > 0; i++)
        {
            if (candidates[i] == FlowBuckets.Away)
            {
                away--;
                candidates[i] = _buckets.CandidateInOther(packets[i].Hash);
                Ask(candidates[i], wholeEntries);
            }
        }
    }

    /// <summary>Asks the processor for an entry; for none when the index is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Ask(int index, bool whole)
    {
        _entries.Prefetch(index);
        if (whole)
        {
            _entries.Prefetch(index, CacheLineArray<byte>.LineBytes);
        }
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
        if (second < 0 || this[first].State == FlowState.Free)
        {
            // The second found no room, or made it by giving up the first.
            Detach(first);
            Detach(second);
            return -1;
        }

        uint ticks = Ticks(nowNs);
        this[first].Peer = second;
        this[second].Peer = first;
        this[first].LastSeen = ticks;
        this[second].LastSeen = ticks;
        this[first].IsForward = true;
        this[second].IsForward = false;
        if (_connections is not null)
        {
            _connections[first] = default;
        }

        Book(first, 1);
        return first;
    }

    /// <summary>Removes a flow, both directions.</summary>
    public void RemovePair(int index)
    {
        int peer = this[index].Peer;
        if (this[index].State != FlowState.Ended)
        {
            Book(index, -1);
        }

        Detach(index);
        Detach(peer);
    }

    /// <summary>Ends a flow, both directions: it is not found any more, but its entries stay as they are until <see cref="ReleaseRetired"/>.</summary>
    /// <remarks>Packets of the batch in hand may refer to it; their entries must not become another flow's before the batch has left.
    /// At most one flow per packet of a batch can be retired.</remarks>
    public void RetirePair(int index)
    {
        int peer = this[index].Peer;
        Book(index, -1);
        Unlink(index);
        Unlink(peer);
        this[index].State = this[peer].State = FlowState.Ended;
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
            _hand = index + 1 < Capacity ? index + 1 : 0;
            ref FlowEntry entry = ref this[index];
            if (entry.State != FlowState.Free && entry.IsForward && IdleTicks(index, now) > TimeoutsOf(in entry)[entry.State])
            {
                RemovePair(index);
                Expired++;
            }
        }
    }

    /// <summary>Counts a flow for its backend slot. The control side reads the number: a slot that nobody remembers may become another's.</summary>
    private void Book(int index, int change)
    {
        BackendCounter[] counters = CountersBySlot;
        int slot = this[index].Backend;
        if ((uint)slot < (uint)counters.Length)
        {
            ref long active = ref counters[slot].Counts.Active;
            Volatile.Write(ref active, active + change);
        }
    }

    private FlowTimeouts TimeoutsOf(in FlowEntry entry)
    {
        FlowTimeouts?[] own = TimeoutsBySlot;
        return (uint)entry.Backend < (uint)own.Length ? own[entry.Backend] ?? FlowTimeouts.Default : FlowTimeouts.Default;
    }

    private uint IdleTicks(int index, uint now)
    {
        // The direction seen last counts; differences survive the wrap of the counter.
        uint own = now - this[index].LastSeen;
        uint peer = now - this[this[index].Peer].LastSeen;
        return Math.Min(own, peer);
    }

    private int Insert(in FlowEntry entry, long nowNs)
    {
        if (_freeCount == 0)
        {
            return -1;
        }

        int index = _free[_freeCount - 1];
        if (!_buckets.Add(entry.Hash, index))
        {
            if (!EvictFrom(entry.Hash, nowNs))
            {
                return -1;
            }

            // What was given up is free as well now, and on top.
            index = _free[_freeCount - 1];
            _buckets.Add(entry.Hash, index);
        }

        _freeCount--;
        this[index] = entry;
        this[index].Peer = index;
        return index;
    }

    private bool EvictFrom(uint hash, long nowNs)
    {
        Span<int> entries = stackalloc int[FlowBuckets.MostListed];
        uint now = Ticks(nowNs);
        int victim = -1;
        double longest = 0.5;
        foreach (int index in entries[.._buckets.List(hash, entries)])
        {
            // An entry that is its own peer is about to become a flow: the other half of the pair in hand.
            double idle = this[index].Peer == index ? 0 : (double)IdleTicks(index, now) / TimeoutsOf(in this[index])[this[index].State];
            if (idle > longest)
            {
                (longest, victim) = (idle, index);
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
        if (index < 0 || this[index].State == FlowState.Free)
        {
            return;
        }

        Unlink(index);
        Free(index);
    }

    /// <summary>Takes an entry out of its bucket: it is not found any more.</summary>
    private void Unlink(int index) => _buckets.Remove(this[index].Hash, index);

    private void Free(int index)
    {
        this[index] = default;
        _free[_freeCount++] = index;
    }
}
