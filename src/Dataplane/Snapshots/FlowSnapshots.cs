using Dataplane.Flows;
using Dataplane.Pipeline;

namespace Dataplane.Snapshots;

/// <summary>Takes flows out of a worker's table for a state, and puts those of a state in. At quiescent points of the worker.</summary>
internal static class FlowSnapshots
{
    /// <summary>Copies flows that live, some at a time.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="cursor">Where to go on; 0 at first, the table's capacity at the end.</param>
    /// <param name="target">Receives them.</param>
    /// <param name="looks">Entries to look at.</param>
    /// <param name="since">Tick of the flow table; flows of which no packet was seen since then are left out. Null: none are.</param>
    /// <returns>How many were copied.</returns>
    public static int Copy(WorkerContext context, ref int cursor, SavedFlow[] target, int looks, uint? since = null)
    {
        FlowTable flows = context.Flows;
        ForwardingTables tables = context.Tables;
        int count = 0;
        for (; looks > 0 && cursor < flows.Capacity && count < target.Length; looks--, cursor++)
        {
            ref readonly FlowEntry entry = ref flows[cursor];
            if (entry.State is FlowState.Free or FlowState.Ended || !entry.IsForward || tables.FateOf(entry.Backend, entry.BackendGeneration) != Balancing.BackendFate.Stay)
            {
                continue;
            }

            ref readonly FlowEntry peer = ref flows[entry.Peer];
            if (since is uint tick && (int)(entry.LastSeen - tick) < 0 && (int)(peer.LastSeen - tick) < 0)
            {
                continue;
            }

            double idleMs = Math.Min(FlowTable.IdleTime(entry.LastSeen, context.NowNs).TotalMilliseconds, FlowTable.IdleTime(peer.LastSeen, context.NowNs).TotalMilliseconds);
            target[count++] = new SavedFlow
            {
                Slot = entry.Backend,
                IdleMs = (uint)Math.Clamp(idleMs, 0, uint.MaxValue),
                State = entry.State,
                Marks = entry.Marks & ~FlowMarks.ConnectionIds,
                IsPlain = entry.IsPlain,
                Forward = entry,
                Reverse = peer,
                Connection = flows.IsTracking ? flows.ConnectionOf(cursor) : default,
            };
        }

        return count;
    }

    /// <summary>Puts a flow in, if neither of its directions is another's already.</summary>
    /// <param name="context">The worker it belongs to.</param>
    /// <param name="saved">The flow.</param>
    /// <param name="slot">The slot that it has now.</param>
    /// <param name="generation">Of the slot.</param>
    /// <param name="awayMs">How long it has been nobody's.</param>
    /// <param name="replaces">Whether it takes the place of those that have its addresses and ports, as it is what has become of them.</param>
    /// <returns>Null when it is there, false when there is no room, true when another flow is in its place.</returns>
    public static bool? Insert(WorkerContext context, in SavedFlow saved, int slot, uint generation, long awayMs, bool replaces = false)
    {
        FlowEntry forward = Entry(context, in saved.Forward, in saved, slot, generation), reverse = Entry(context, in saved.Reverse, in saved, slot, generation);
        if (replaces)
        {
            Remove(context.Flows, in forward);
            Remove(context.Flows, in reverse);
        }

        if (context.Flows.Find(in forward.Key, forward.Hash) >= 0 || context.Flows.Find(in reverse.Key, reverse.Hash) >= 0 || forward.Key.Equals(in reverse.Key))
        {
            return true;
        }

        int index = (forward.Marks & FlowMarks.Mapped) != 0
            ? Nat.MappedFlows.Adopt(context, in forward, in reverse)
            : context.Flows.InsertPair(in forward, in reverse, context.NowNs);
        if (index < 0)
        {
            return false;
        }

        uint seen = FlowTable.Ticks(Math.Max(0, context.NowNs - ((saved.IdleMs + awayMs) * 1_000_000)));
        context.Flows[index].LastSeen = context.Flows[context.Flows[index].Peer].LastSeen = seen;
        if ((forward.Marks & FlowMarks.Mapped) != 0)
        {
            context.Flows.Mappings!.Refresh(in context.Flows.Inward(index), seen);
        }

        if (context.Flows.IsTracking)
        {
            context.Flows.ConnectionOf(index) = saved.Connection;
        }

        return null;
    }

    private static void Remove(FlowTable flows, in FlowEntry entry)
    {
        int known = flows.Find(in entry.Key, entry.Hash);
        if (known >= 0)
        {
            flows.RemovePair(known);
        }
    }

    private static FlowEntry Entry(WorkerContext context, in FlowEntry saved, in SavedFlow flow, int slot, uint generation)
    {
        FlowEntry entry = saved;
        entry.Hash = context.Hash.Of(in entry.Key);
        (entry.State, entry.Marks, entry.IsPlain, entry.ChangesFamily) = (flow.State, flow.Marks, flow.IsPlain, flow.ChangesFamily);
        (entry.Backend, entry.BackendGeneration) = (slot, generation);
        entry.Path = FlowPath.None;
        entry.InPort = FlowEntry.NoPort;
        if (!flow.IsPlain)
        {
            // What was written is not believed: a wrong sum would damage every packet.
            NatFlows.SetDeltas(ref entry);
        }

        return entry;
    }
}
