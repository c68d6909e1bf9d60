using System.Numerics;
using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Flows;

/// <summary>The flows of one worker: a fixed array of entries, found through <see cref="FlowBuckets"/>.</summary>
/// <remarks>
/// <para>A hit costs one line of a bucket and the entry's two; a miss one or two lines of buckets.</para>
/// <para>Memory is fixed: nothing is allocated behind the constructor. When there is no room for a new flow, one of those in its two buckets is given up
/// (<c>FlowTable.Ageing.cs</c> says which); when none may be, the new flow is refused. Used by one thread.</para>
/// </remarks>
internal sealed partial class FlowTable
{
    /// <summary>Packets that <see cref="LookAhead"/> looks for at a time; a power of two.</summary>
    public const int Step = 8;

    /// <summary>How many steps before a packet's own its bucket is asked for, and its entry; the latter at least 2, or the other bucket would come late.</summary>
    /// <remarks>
    /// Steps and not the whole batch at once: the processor has a few dozen lines on their way at a time and stands still with more, and the entries of a
    /// whole batch would push one another out of the first cache before they are read.
    /// </remarks>
    private const int BucketSteps = 4, EntrySteps = 2;

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
        _entries = new MappedArray<FlowEntry>(Capacity + PacketBatch.Capacity);
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
    public long MemoryBytes => _entries.LengthBytes + _buckets.MemoryBytes + ((long)_free.Length * sizeof(int)) + (_connections?.LengthBytes ?? 0)
        + (Mappings?.MemoryBytes ?? 0);

    /// <summary>Entries in use.</summary>
    public int Count => Capacity - _freeCount;

    /// <summary>Flows forgotten because they were idle too long.</summary>
    public long Expired { get; private set; }

    /// <summary>Flows given up before their time to make room.</summary>
    public long Evicted { get; private set; }

    /// <summary>Idle times by slot of <see cref="FlowEntry.Backend"/>; where there is none, <see cref="FlowTimeouts.Default"/> hold.</summary>
    public FlowTimeouts?[] TimeoutsBySlot { get; set; } = [];

    /// <summary>Counters by slot of <see cref="FlowEntry.Backend"/>, of which the table keeps the number of flows that remember the slot.</summary>
    public BackendCounter[] CountersBySlot
    {
        get;
        set
        {
            field = value;
            Mappings?.CountersBySlot = value;
        }
    } = [];

    /// <summary>The ports that are mapped towards everybody; null until <see cref="MapPorts"/>.</summary>
    public PortMappings? Mappings { get; private set; }

    /// <summary>Those of its flows that are forwarded by something else; null: none.</summary>
    public IOffloadedFlows? Offloaded { get; set; }

    /// <summary>Flows in use: those that packets find.</summary>
    public int FlowCount => (Capacity - _freeCount - _retiredCount) / 2;

    /// <summary>The entry at an index returned by this table.</summary>
    public ref FlowEntry this[int index] => ref _entries[index];

    /// <summary>An entry that is no flow's: what a packet of the batch in hand needs to leave as one of a flow would, and that nobody finds.</summary>
    /// <param name="packet">Number of the packet.</param>
    /// <param name="index">Index of the entry, which is as it was last left.</param>
    public ref FlowEntry Lend(int packet, out int index)
    {
        index = Capacity + packet;
        return ref this[index];
    }

    /// <summary>Makes room for what is followed of connections, if there is none yet. Control side, before tables that need it are published.</summary>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    public void Track()
    {
        if (_connections is null)
        {
            Volatile.Write(ref _connections, new MappedArray<Connection>(Capacity));
        }
    }

    /// <summary>One for each flow, and one that is made before room is made for its flow.</summary>
    private int MostMappings => (Capacity / 2) + 1;

    /// <summary>Makes room for mapped ports, if there is none yet. Control side, before tables that need it are published.</summary>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    public void MapPorts(FlowHash hash)
    {
        if (Mappings is null)
        {
            var made = new PortMappings(hash, MostMappings) { CountersBySlot = CountersBySlot };
            Interlocked.MemoryBarrier();
            Mappings = made;
        }
    }

    /// <summary>The entry of a mapped flow for what comes from outside, given either of its entries.</summary>
    public ref FlowEntry Inward(int index)
    {
        ref FlowEntry entry = ref this[index];
        return ref entry.IsInward ? ref entry : ref this[entry.Peer];
    }

    /// <summary>Whether connections are followed.</summary>
    public bool IsTracking => _connections is not null;

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
        found = found[..packets.Length];
        BeginToLook(packets, found, wholeEntries: false);
        for (int i = 0; i < packets.Length; i++)
        {
            if ((i & (Step - 1)) == 0)
            {
                LookAhead(packets, found, i, wholeEntries: false);
            }

            int candidate = found[i];
            if (candidate >= 0 && !this[candidate].Key.Equals(in packets[i].Key))
            {
                found[i] = Find(in packets[i].Key, packets[i].Hash);
            }
        }
    }

    /// <summary>Before the first <see cref="LookAhead"/> of a batch: looks for its first packets.</summary>
    /// <param name="packets">Hashes of the whole batch.</param>
    /// <param name="candidates">As for <see cref="LookAhead"/>.</param>
    /// <param name="wholeEntries">As for <see cref="LookAhead"/>.</param>
    [MethodImpl(MethodImplOptions.NoInlining)] // Once per batch.
    public void BeginToLook(ReadOnlySpan<ParsedFrame> packets, Span<int> candidates, bool wholeEntries)
    {
        for (int first = 0; first < BucketSteps * Step; first += Step)
        {
            AskForBuckets(packets, first);
        }

        for (int first = 0; first < EntrySteps * Step; first += Step)
        {
            Look(packets, candidates, first, wholeEntries);
        }

        LookInOthers(packets, candidates, 0);
    }

    /// <summary>
    /// Looks in the buckets for the packets some steps later, so that the processor fetches lines while it works on the packets at hand: first
    /// buckets are asked for, then entries, each for <see cref="Step"/> packets. From then on the candidates of the packets before
    /// <paramref name="at"/> + 2 <see cref="Step"/> are known: the entry each hash most likely belongs to. Keys are still to be compared.
    /// </summary>
    /// <param name="packets">Hashes of the whole batch.</param>
    /// <param name="candidates">Of the same length; receives an index for each packet, or -1 when there is certainly no such flow.</param>
    /// <param name="at">The packet at hand: a multiple of <see cref="Step"/>, each of them in turn.</param>
    /// <param name="wholeEntries">Whether to ask for the second line of entries too, which says how packets are to leave.</param>
    [MethodImpl(MethodImplOptions.NoInlining)] // Once in some packets: inlined, it would take registers from the loop around it.
    public void LookAhead(ReadOnlySpan<ParsedFrame> packets, Span<int> candidates, int at, bool wholeEntries)
    {
        AskForBuckets(packets, at + (BucketSteps * Step));
        Look(packets, candidates, at + (EntrySteps * Step), wholeEntries);
        LookInOthers(packets, candidates, at + Step);
    }

    private void AskForBuckets(ReadOnlySpan<ParsedFrame> packets, int first)
    {
        if (first < packets.Length)
        {
            _buckets.Prefetch(packets.Slice(first, Math.Min(Step, packets.Length - first)));
        }
    }

    /// <summary>One step of packets whose buckets have been asked for.</summary>
    private void Look(ReadOnlySpan<ParsedFrame> packets, Span<int> candidates, int first, bool wholeEntries)
    {
        if (first >= packets.Length)
        {
            return;
        }

        packets = packets.Slice(first, Math.Min(Step, packets.Length - first));
        candidates = candidates.Slice(first, packets.Length);
        FlowBuckets buckets = _buckets;
        MappedArray<FlowEntry> entries = _entries;
        for (int i = 0; i < candidates.Length; i++)
        {
            int candidate = buckets.Candidate(packets[i].Hash);
            candidates[i] = candidate;
            if (wholeEntries)
            {
                entries.PrefetchWhole(candidate);
            }
            else
            {
                entries.Prefetch(candidate);
            }
        }
    }

    /// <summary>One step of packets behind <see cref="Look"/>: those whose entries may be in their other buckets, which have been asked for.</summary>
    private void LookInOthers(ReadOnlySpan<ParsedFrame> packets, Span<int> candidates, int first)
    {
        int end = Math.Min(first + Step, packets.Length);
        if (first >= end || !candidates[first..end].Contains(FlowBuckets.Away))
        {
            return;
        }

        for (int i = first; i < end; i++)
        {
            if (candidates[i] == FlowBuckets.Away)
            {
                candidates[i] = _buckets.CandidateInOther(packets[i].Hash);
                _entries.PrefetchWhole(candidates[i]);
            }
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
