using System.Buffers.Binary;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Nat64;

/// <summary>The short way of flows between the families: what <see cref="EstablishedStage"/> is to all others.</summary>
/// <remarks>
/// Input: parsed packets that <see cref="EstablishedStage"/> has left, with the flow that it has looked up for each. Output: frames that stand as they leave, verdict transmit; all others
/// untouched: fragments, options, extension headers, super-frames, ICMP, UDP without a checksum, what is too long or would have to be cut. Drops: none. State: flow table.
/// Cost: nothing without NAT64; else a compare for each packet left, and for those of its flows the lines that have been fetched before and one new header.
/// </remarks>
internal static class EstablishedFamilyStage
{
    private const ulong MacMask = 0xFFFF_FFFF_FFFF;

    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        int untagged = context.Tables.InterfaceMap.Find(batch.Port.Value, 0);
        if (!context.Tables.Nat.HasNat64 || untagged < 0 || context.Flows.Count == 0)
        {
            return;
        }

        Forward<TTracing>(context, batch, untagged);
    }

    private static void Forward<TTracing>(WorkerContext context, PacketBatch batch, int untagged)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        ulong station = BinaryPrimitives.ReverseEndianness(tables.Interfaces[untagged].Mac.Bits << 16);
        FlowTable table = context.Flows;
        FilterProgram filter = tables.Filter;
        BackendCounter[] counters = tables.BackendCounters;
        Span<byte> memory = batch.Memory;
        ushort port = FlowEntry.PortBetweenFamilies(batch.Port.Value);
        uint ticks = FlowTable.Ticks(context.NowNs);
        var run = new RuleRun(filter);
        for (int i = 0; i < batch.Count; i++)
        {
            int flow = batch.Flows[i];
            if (flow < 0 || batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            ref FlowEntry entry = ref table[flow];
            ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
            if (entry.InPort != port || !entry.Key.Equals(in batch.Parsed[i].Key) || entry.Path.TablesVersion != tables.Version
                || entry.FilterFlags != (headers.TcpFlags & filter.FlagsLookedAt) || !EstablishedStage.IsOrdinary(in headers, entry.State)
                || (BinaryPrimitives.ReadUInt64LittleEndian(memory[batch.Offsets[i]..]) & MacMask) != station)
            {
                continue;
            }

            ref readonly OutgoingWays.Way way = ref context.Ways.Of(context, in entry);
            int received = batch.Lengths[i];
            if (!PlainFamilyTranslation.IsPlain(batch, i, memory, way.Mtu) || (filter.HasStates && !ConnectionFlows.TryPass(context, batch, i, flow, in entry)))
            {
                continue;
            }

            PlainFamilyTranslation.Write(context, batch, i, memory, in entry, in way);
            if (TTracing.IsOn)
            {
                EstablishedStage.Explain(context, batch, i, untagged, flow);
                continue;
            }

            EstablishedStage.Book(ref entry, ticks, ref counters[entry.Backend].Counts, received);
            run.Add(entry.FilterRule, received);
        }

        run.End();
    }
}
