using Dataplane.Packets;

namespace Dataplane.Flows;

/// <content>How flows end: removed, expired, or given up for others.</content>
/// <remarks>
/// <para>Ageing has no timers: <see cref="Sweep"/> looks at some entries now and then like the hand of a clock.</para>
/// <para>When there is no room for a new flow, one in its two buckets is given up. First those of which both sides have not shown yet that they are there
/// (half a TCP handshake, a datagram that nobody has answered, an answer that the first side said nothing to): what floods are made of, and one that is no flood
/// has shown more within a round trip. Of these the one idle longest; of several alike any, for in a flood they all are, and each shall last as long as the next.
/// Then TCP connections that have ended. Never a connection that is established, and no other flow of which both sides were heard: the new flow is refused instead
/// (compare RFC 4732 3.3; Linux' conntrack does alike with its "assured" connections).</para>
/// </remarks>
internal sealed partial class FlowTable
{
    /// <summary>Added to the idle time of flows that are to be given up first.</summary>
    private const ulong First = 1UL << 33;

    private PacketBatch? _inHand;

    /// <summary>Gives a flow a state, both directions. What only holds for the state before is over with it.</summary>
    public void Turn(int index, FlowState state)
    {
        ref FlowEntry entry = ref this[index];
        if (entry.State != state)
        {
            entry.State = this[entry.Peer].State = state;
            Recall(index);
        }
    }

    /// <summary>Removes a flow, both directions.</summary>
    public void RemovePair(int index)
    {
        int peer = this[index].Peer;
        Recall(index);
        if (this[index].State != FlowState.Ended)
        {
            EndMapped(index);
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
        Recall(index);
        EndMapped(index);
        Book(index, -1);
        Unlink(index);
        Unlink(peer);
        this[index].State = this[peer].State = FlowState.Ended;
        _retired[_retiredCount++] = index;
        _retired[_retiredCount++] = peer;
    }

    /// <summary>Frees the entries of retired flows, and takes the next batch in hand: flows that its packets refer to are not given up.</summary>
    public void Begin(PacketBatch batch)
    {
        ReleaseRetired();
        _inHand = batch;
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
            if (entry.State == FlowState.Free || !entry.IsForward)
            {
                continue;
            }

            if (IdleTicks(index, now) > TimeoutsOf(in entry)[entry.State] && !HasPassed(index))
            {
                RemovePair(index);
                Expired++;
            }
            else if ((entry.Marks & FlowMarks.Mapped) != 0)
            {
                ref readonly FlowEntry inward = ref Inward(index);
                Mappings!.Refresh(in inward, LastSent(in inward));
            }
        }
    }

    /// <summary>Has the packets of a flow come to the engine, both directions, before it is another's.</summary>
    private void Recall(int index)
    {
        if (Offloaded is { } offloaded)
        {
            offloaded.Recall(index);
            offloaded.Recall(this[index].Peer);
        }
    }

    private bool HasPassed(int index) => Offloaded is { } offloaded
        && (LivesByInside(in this[index]) ? offloaded.HasPassed(Inward(index).Peer) : offloaded.HasPassed(index) || offloaded.HasPassed(this[index].Peer));

    /// <summary>What anybody outside sends to a mapped port keeps nothing alive (RFC 4787 REQ-6), unless it is told to.</summary>
    private static bool LivesByInside(in FlowEntry entry) => (entry.Marks & (FlowMarks.Mapped | FlowMarks.RefreshedInwards)) == FlowMarks.Mapped;

    private FlowTimeouts TimeoutsOf(in FlowEntry entry)
    {
        FlowTimeouts?[] own = TimeoutsBySlot;
        return (uint)entry.Backend < (uint)own.Length ? own[entry.Backend] ?? FlowTimeouts.Default : FlowTimeouts.Default;
    }

    private uint IdleTicks(int index, uint now)
    {
        ref readonly FlowEntry entry = ref this[index];
        if (LivesByInside(in entry))
        {
            return now - LastSent(in Inward(index));
        }

        // The direction seen last counts; differences survive the wrap of the counter.
        uint own = now - entry.LastSeen;
        uint peer = now - this[entry.Peer].LastSeen;
        return Math.Min(own, peer);
    }

    /// <summary>When the inside was heard last on a mapped flow; where the outside counts as well, when either was.</summary>
    private uint LastSent(in FlowEntry inward)
    {
        uint sent = this[inward.Peer].LastSeen;
        return (inward.Marks & FlowMarks.RefreshedInwards) != 0 && (int)(inward.LastSeen - sent) > 0 ? inward.LastSeen : sent;
    }

    private void EndMapped(int index)
    {
        if ((this[index].Marks & FlowMarks.Mapped) != 0)
        {
            ref readonly FlowEntry inward = ref Inward(index);
            Mappings!.End(in inward, LastSent(in inward));
        }
    }

    private bool EvictFrom(uint hash, long nowNs)
    {
        Span<int> entries = stackalloc int[FlowBuckets.MostListed];
        int count = _buckets.List(hash, entries), victim = -1;
        uint now = Ticks(nowNs), turn = hash >> 8;
        ulong highest = 0;
        for (int k = 0; k < count; k++)
        {
            int index = entries[(int)((turn + (uint)k) % (uint)count)];
            ulong rank = RankOf(index, now);
            if (rank > highest && !IsInHand(index))
            {
                (highest, victim) = (rank, index);
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

    /// <summary>How soon a flow is given up: the higher the sooner, and 0 for those that are not.</summary>
    private ulong RankOf(int index, uint now)
    {
        ref readonly FlowEntry entry = ref this[index];

        // An entry that is its own peer is about to become a flow: the other half of the pair in hand.
        return entry.Peer == index ? 0 : entry.State switch
        {
            FlowState.TcpEstablished => 0,
            FlowState.TcpTransitory => First + 1 + IdleTicks(index, now),
            FlowState.TcpClosing => 1UL + IdleTicks(index, now),
            _ => (entry.Marks & FlowMarks.Assured) != 0 ? 0 : First + 1 + IdleTicks(index, now),
        };
    }

    /// <summary>Whether a packet of the batch in hand refers to a flow: its entries may not become another's before the batch has left.</summary>
    private bool IsInHand(int index) => _inHand is { } batch
        && (batch.Flows[..batch.Count].Contains(index) || batch.Flows[..batch.Count].Contains(this[index].Peer));
}
