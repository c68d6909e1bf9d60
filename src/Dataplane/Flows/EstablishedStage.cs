using System.Buffers.Binary;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Flows;

/// <summary>Forwards the packets of flows that remember everything: that they may enter, the filter's rule, next hop, neighbour, rewriting.</summary>
/// <remarks>
/// <para>What the stages found out for an earlier packet of the flow still holds when it came by the same port, the tables are the same and the
/// neighbour is; then only what differs between packets of a flow is looked at: hardware address, flags, TTL and length. Everything else goes through
/// the stages, which give the same result: this is their memory, not another way.</para>
/// Input: parsed packets. Output: frames that stand as they leave, verdict transmit; all others untouched. Drops: none. State: flow table.
/// Cost: one bucket line and the entry's two, however many rules, routes and services there are. Two passes over the batch: the first asks for
/// the lines, the second finds them there.
/// </remarks>
internal static class EstablishedStage
{
    private const ulong MacMask = 0xFFFF_FFFF_FFFF;

    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        FlowTable table = context.Flows;
        if (table.Count == 0)
        {
            return;
        }

        ForwardingTables tables = context.Tables;
        int untagged = tables.InterfaceMap.Find(batch.Port.Value, 0);
        if (untagged < 0)
        {
            return;
        }

        // For every packet: the look at the buckets is cheaper than asking whether it is needed.
        table.FindCandidates(batch.Parsed.Slice(0, batch.Count), batch.Flows, wholeEntries: true);
        ulong station = BinaryPrimitives.ReverseEndianness(tables.Interfaces[untagged].Mac.Bits << 16);
        FilterProgram filter = tables.Filter;
        NextHop[] hops = tables.NextHops;
        NeighbourTable neighbours = context.Neighbours;
        BackendCounter[] counters = tables.BackendCounters;
        Span<byte> memory = batch.Memory;
        int version = tables.Version;
        uint ticks = FlowTable.Ticks(context.NowNs);
        for (int i = 0; i < batch.Count; i++)
        {
            int flow = batch.Flows[i];
            if (flow < 0 || batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            ref FlowEntry entry = ref table[flow];
            ref readonly ParsedFrame parsed = ref batch.Parsed[i];
            ref readonly PacketHeaders headers = ref parsed.Headers;
            if (!entry.Key.Equals(in parsed.Key) || entry.TablesVersion != version || entry.InPort != batch.Port.Value
                || entry.FilterFlags != (headers.TcpFlags & filter.FlagsLookedAt) || headers.Fragment != FragmentKind.None || headers.Ttl <= 1
                || TcpStates.Matters(entry.State, headers.TcpFlags))
            {
                continue;
            }

            int offset = batch.Offsets[i], length = headers.EndOffset - headers.NetworkOffset;
            L3Interface way = hops[entry.NextHop].Interface;
            if ((BinaryPrimitives.ReadUInt64LittleEndian(memory[offset..]) & MacMask) != station || length > way.Mtu
                || !neighbours.IsConfirmed(entry.Neighbour, entry.NeighbourGeneration)
                || !PlainTranslation.TryWrite(memory, offset, in headers, in entry, neighbours[entry.Neighbour].Mac, way))
            {
                continue;
            }

            int received = batch.Lengths[i];
            batch.Lengths[i] = length + PlainTranslation.LinkBytes;
            batch.OutPorts[i] = way.Port;
            batch.Verdicts[i] = Verdict.Transmit;
            if (TTracing.IsOn)
            {
                Explain(context, batch, i, untagged, flow);
                continue;
            }

            Book(ref entry, ticks, ref counters[entry.Backend].Counts, received);
            if (!filter.IsEmpty)
            {
                filter.Count(entry.FilterRule, received);
            }
        }
    }

    private static void Book(ref FlowEntry entry, uint ticks, ref BackendCounts counts, int bytes)
    {
        if (entry.LastSeen != ticks)
        {
            entry.LastSeen = ticks;
        }

        counts.Packets++;
        counts.Bytes += bytes;
    }

    /// <summary>The same records as those of the stages this stands for.</summary>
    private static void Explain(WorkerContext context, PacketBatch batch, int i, int untagged, int flow)
    {
        ForwardingTables tables = context.Tables;
        ref readonly FlowEntry entry = ref context.Flows[flow];
        NextHop hop = tables.NextHops[entry.NextHop];
        (batch.NextHops[i], batch.Neighbours[i]) = (entry.NextHop, entry.Neighbour);
        IngressStage.Explain(context, batch, i, untagged);
        FilterStage.Explain(context, batch, i, tables.Filter, entry.FilterRule, FilterAction.Allow);
        FlowStage.Explain(context, batch, in entry);
        RouteStage.ExplainNextHop(context, batch, i, hop);
        NeighbourStage.Explain(context, batch, i, hop, entry.Neighbour);
        RewriteStage.Explain(context, batch, i, hop.Interface, flow, takeTtl: true);
    }
}
