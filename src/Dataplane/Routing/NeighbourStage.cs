using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Routing;

/// <summary>Finds the hardware address of the next hop; packets whose next hop is not known yet wait.</summary>
/// <remarks>
/// Input: packets with verdict forward. Output: neighbour and out port, or hold. Drops: full queue, full table. State: the neighbour
/// table. Cost: the neighbour of a flow or a gateway is remembered with its generation and costs one load; others one hash look-up.
/// </remarks>
internal static partial class NeighbourStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        NextHop[] hops = context.Tables.NextHops;
        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Forward)
            {
                continue;
            }

            NextHop hop = hops[batch.NextHops[i]];
            batch.OutPorts[i] = hop.Interface.Port;
            int neighbour = Remembered(context, batch, i, hop);
            if (neighbour < 0)
            {
                neighbour = Resolve(context, batch, i, hop);
            }

            if (neighbour >= 0)
            {
                batch.Neighbours[i] = neighbour;
                if (context.Neighbours[neighbour].State == NeighbourState.Stale)
                {
                    StartProbe(context, neighbour, hop.Interface);
                }
            }

            if (TTracing.IsOn)
            {
                Explain(context, batch, i, hop, neighbour);
            }
        }
    }

    private static int Remembered(WorkerContext context, PacketBatch batch, int i, NextHop hop)
    {
        NeighbourTable neighbours = context.Neighbours;
        int flow = batch.Flows[i];
        if (flow >= 0)
        {
            ref FlowEntry entry = ref context.Flows[flow];
            return neighbours.IsUsable(entry.Path.Neighbour, entry.Path.NeighbourGeneration) ? entry.Path.Neighbour : -1;
        }

        return !hop.Gateway.IsNone && neighbours.IsUsable(hop.CachedNeighbour, hop.CachedGeneration) ? hop.CachedNeighbour : -1;
    }

    private static int Resolve(WorkerContext context, PacketBatch batch, int i, NextHop hop)
    {
        NeighbourTable neighbours = context.Neighbours;
        L3Interface entry = hop.Interface;
        int flow = batch.Flows[i];
        IpAddress address = !hop.Gateway.IsNone ? hop.Gateway : RouteLookups.Destination(context, batch, i);
        int index = neighbours.Find(entry.Port, entry.Vlan, address);
        if (index >= 0 && neighbours[index].IsUsable)
        {
            uint generation = neighbours[index].Generation;
            if (flow >= 0)
            {
                (context.Flows[flow].Path.Neighbour, context.Flows[flow].Path.NeighbourGeneration) = (index, generation);
            }
            else if (!hop.Gateway.IsNone)
            {
                (hop.CachedNeighbour, hop.CachedGeneration) = (index, generation);
            }

            return index;
        }

        if (index < 0)
        {
            index = AddOrReplace(context, entry, address, NeighbourState.Incomplete, 0);
            if (index < 0)
            {
                batch.Drop(i, DropReason.NeighbourTableFull);
                return -1;
            }

            neighbours[index].Asked = 1;
            neighbours[index].DeadlineNs = context.NowNs + RetransmitNs;
            Ask(context, entry, address, 0);
        }

        Hold(context, batch, i, ref neighbours[index]);
        return -1;
    }

    private static void Hold(WorkerContext context, PacketBatch batch, int i, ref NeighbourEntry neighbour)
    {
        PacketMarks marks = batch.Marks[i] & ~PacketMarks.Released;
        if (batch.Flows[i] >= 0)
        {
            marks |= PacketMarks.Booked;
        }

        // A packet of the engine's own has not come by any port; it is found again by the interface it was made for.
        int made = (marks & PacketMarks.LocalOrigin) != 0 ? batch.InInterfaces[i] : -1;
        ushort port = made >= 0 ? context.Tables.Interfaces[made].Port : batch.Port.Value;
        PacketOffload offload = batch.Offloads[i];
        offload.TransportAt -= batch.Offsets[i];
        if (neighbour.HeldCount >= HeldPackets.MaxPerNeighbour
            || !context.Held.TryHold(ref neighbour.HeldFirst, ref neighbour.HeldLast, batch.Frame(i), port, marks, in offload, in batch.Followed[i]))
        {
            batch.Drop(i, DropReason.NeighbourQueueFull);
            return;
        }

        neighbour.HeldCount++;
        batch.Hold(i, HoldReason.Neighbour);
    }

    /// <summary>Says which neighbour the packet goes to, or what it waits for.</summary>
    public static void Explain(WorkerContext context, PacketBatch batch, int i, NextHop hop, int neighbour)
    {
        if (neighbour >= 0)
        {
            string mac = new MacAddress(context.Neighbours[neighbour].Mac).ToString();
            context.Trace!.Add(batch, "neighbour", "resolved", $"next hop {hop} has {mac}, {context.Neighbours[neighbour].State}",
                ("next_hop", hop.ToString()), ("mac", mac), ("state", context.Neighbours[neighbour].State.ToString().ToLowerInvariant()));
            return;
        }

        string outcome = batch.Verdicts[i] == Verdict.Hold ? "held" : batch.Reasons[i].ToName();
        context.Trace!.Add(batch, "neighbour", outcome, $"next hop {hop} is not known; it is asked for and the packet waits", ("next_hop", hop.ToString()));
    }
}
