using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Flows;

/// <summary>Finds the flow a packet belongs to, keeps the flow alive, and follows its state.</summary>
/// <remarks>
/// Input: packets that passed the filter. Output: the flow's index. Drops: first fragments of flows, invalid ICMP errors.
/// State: flow table. Cost: one bucket line and one entry line for a hit; the other line of the entry is paid by the rewrite.
/// </remarks>
internal static class FlowStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        FlowTable flows = context.Flows;
        flows.ReleaseRetired();
        if (flows.Count == 0)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            ref readonly PacketHeaders headers = ref batch.Headers[i];
            if (headers.Protocol is IpProtocols.Tcp or IpProtocols.Udp)
            {
                bool whole = headers.Fragment == FragmentKind.None;
                int index = flows.Find(in batch.Keys[i], whole ? batch.Hashes[i] : context.Hash.Of(in batch.Keys[i]));
                if (index >= 0)
                {
                    HitOrDrop<TTracing>(context, batch, i, index, whole);
                }
            }
            else if (headers.TransportOffset != 0 && headers.Protocol == (headers.IpVersion == 4 ? IpProtocols.Icmp : IpProtocols.Icmpv6))
            {
                IcmpErrorTranslation.Process<TTracing>(context, batch, i);
            }
        }
    }

    /// <summary>Books a packet on its flow, unless the flow has ended with its backend or its connection.</summary>
    public static void Hit<TTracing>(WorkerContext context, PacketBatch batch, int i, int index)
        where TTracing : struct, ITracing
    {
        ref FlowEntry entry = ref context.Flows[index];
        byte flags = batch.Headers[i].TcpFlags;
        ForwardingTables tables = context.Tables;
        if (entry.TablesVersion != tables.Version && tables.GenerationOf(entry.Backend) != entry.BackendGeneration)
        {
            End<TTracing>(context, batch, index, "its backend has gone");
            return;
        }

        if (TcpStates.Matters(entry.State, flags))
        {
            if (TcpStates.Reopens(entry.State, flags, entry.IsForward))
            {
                End<TTracing>(context, batch, index, "a new connection reuses its ports");
                return;
            }

            entry.State = TcpStates.Next(entry.State, flags, entry.IsForward);
            context.Flows[entry.Peer].State = entry.State;
        }

        uint ticks = FlowTable.Ticks(context.NowNs);
        if (entry.LastSeen != ticks)
        {
            entry.LastSeen = ticks;
        }

        batch.Flows[i] = index;
        if (TTracing.IsOn)
        {
            Explain(context, batch, in entry);
        }
        else
        {
            ref Balancing.BackendCounts counts = ref tables.BackendCounters[entry.Backend].Counts;
            counts.Packets++;
            counts.Bytes += batch.Lengths[i];
        }
    }

    private static void HitOrDrop<TTracing>(WorkerContext context, PacketBatch batch, int i, int index, bool whole)
        where TTracing : struct, ITracing
    {
        if (whole)
        {
            Hit<TTracing>(context, batch, i, index);
        }
        else
        {
            // Its later fragments carry no ports and could not follow it through the translation.
            batch.Drop(i, DropReason.ServiceFragment);
        }
    }

    private static void End<TTracing>(WorkerContext context, PacketBatch batch, int index, string why)
        where TTracing : struct, ITracing
    {
        if (TTracing.IsOn)
        {
            context.Trace!.Add(batch, "flow", "ended", $"the packet's flow ends: {why}");
        }

        // Earlier packets of this batch may belong to it: they still leave by it.
        context.Flows.RetirePair(index);
    }

    private static void Explain(WorkerContext context, PacketBatch batch, in FlowEntry entry)
    {
        string direction = entry.IsForward ? "to the backend" : "to the client";
        context.Trace!.Add(batch, "flow", "hit", $"established flow {direction}: {entry.State}, leaves as {entry.NewSource} > {entry.NewDestination}",
            ("state", entry.State.ToString()), ("direction", direction), ("new_source", entry.NewSource.ToString()),
            ("new_source_port", (int)(entry.NewPorts >> 16)), ("new_destination", entry.NewDestination.ToString()),
            ("new_destination_port", (int)(ushort)entry.NewPorts));
    }
}
