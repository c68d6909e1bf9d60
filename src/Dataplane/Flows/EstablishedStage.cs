using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Balancing.ConnectionIds;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;
using Dataplane.Tunnels;

namespace Dataplane.Flows;

/// <summary>Forwards the packets of flows that remember everything: that they may enter, the filter's rule, next hop, neighbour, rewriting.</summary>
/// <remarks>
/// <para>What the stages found out for an earlier packet of the flow still holds when it came by the same port, the tables are the same and the
/// neighbour is; then only what differs between packets of a flow is looked at: hardware address, flags, TTL and length. Everything else goes through
/// the stages, which give the same result: this is their memory, not another way.</para>
/// Input: parsed packets. Output: frames that stand as they leave, verdict transmit; all others untouched. Drops: none. State: flow table.
/// Cost: one bucket line and the entry's two, however many rules, routes and services there are. The lines of packets to come are asked for
/// while those at hand are forwarded.
/// </remarks>
internal static class EstablishedStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        int untagged = context.Tables.InterfaceMap.Find(batch.Port.Value, 0);
        if (untagged < 0 || context.Flows.Count == 0)
        {
            return;
        }

        context.Ways.Begin();
        Forward<TTracing>(context, batch, untagged);
    }

    private static void Forward<TTracing>(WorkerContext context, PacketBatch batch, int untagged)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        ulong station = BinaryPrimitives.ReverseEndianness(tables.Interfaces[untagged].Mac.Bits);
        FlowTable table = context.Flows;
        FilterProgram filter = tables.Filter;
        OutgoingWays ways = context.Ways;
        BackendCounter[] counters = tables.BackendCounters;
        Span<byte> memory = batch.Memory;
        ReadOnlySpan<ParsedFrame> frames = batch.Parsed.Slice(0, batch.Count);
        uint ticks = FlowTable.Ticks(context.NowNs);
        bool follows = filter.HasStates;
        var run = new RuleRun(filter);
        for (int i = 0; i < frames.Length; i++)
        {
            int flow = Candidate(table, batch, i, follows);
            if (flow < 0 || batch.Verdicts[(byte)i] != Verdict.Continue)
            {
                continue;
            }

            ref FlowEntry entry = ref table[flow];
            ref readonly PacketHeaders headers = ref frames[i].Headers;
            if (!entry.Key.Equals(in frames[i].Key) || entry.InPort != batch.Port.Value || entry.FilterFlags != (headers.TcpFlags & filter.FlagsLookedAt)
                || !IsOrdinary(in headers, entry.State))
            {
                continue;
            }

            Span<byte> frame = memory[batch.Offsets[(byte)i]..];
            ref readonly OutgoingWays.Way way = ref ways.Of(context, in entry);
            int length = headers.EndOffset - headers.NetworkOffset, limit = way.LimitBytes - entry.OuterBytes;
            if (!PlainTranslation.Fits(in headers, frame) || BinaryPrimitives.ReadUInt64LittleEndian(frame) << 16 != station
                || (length >= limit && batch.IsTooLong(i, limit - 1)) || (follows && !ConnectionFlows.TryPass(context, batch, i, flow, in entry))
                || !ConnectionIdSteering.TryPass<TTracing>(context, batch, i, in entry))
            {
                continue;
            }

            PlainTranslation.Write(frame, in headers, in entry, way.LinkStart, way.LinkEnd);
            int received = batch.Lengths[(byte)i];
            batch.Lengths[(byte)i] = length + PlainTranslation.LinkBytes;
            batch.OutPorts[(byte)i] = way.Port;
            batch.Verdicts[(byte)i] = Verdict.Transmit;
            if (entry.OuterBytes != 0)
            {
                Encapsulator.Enclose(context, batch, i, PlainTranslation.LinkBytes, in entry, context.Originated.Batch.Count);
            }

            if (TTracing.IsOn)
            {
                Explain(context, batch, i, untagged, flow);
                continue;
            }

            Book(ref entry, ticks, ref counters[entry.Backend].Counts, received);
            run.Add(entry.FilterRule, received);
        }

        run.End();
    }

    /// <summary>The flow a packet most likely belongs to. For every packet: the look at the buckets is cheaper than asking whether it is needed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    private static int Candidate(FlowTable table, PacketBatch batch, int i, bool follows)
    {
        if ((i & (FlowTable.Step - 1)) == 0)
        {
            LookAhead(table, batch, i, follows);
        }

        return batch.Flows[(byte)i];
    }

    /// <summary>Has the lines of the packets to come fetched while those at hand are forwarded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // Once in some packets: inlined, it would take registers from the loop.
    private static void LookAhead(FlowTable table, PacketBatch batch, int at, bool follows)
    {
        ReadOnlySpan<ParsedFrame> frames = batch.Parsed.Slice(0, batch.Count);
        Span<int> candidates = batch.Flows[..frames.Length];
        if (at == 0)
        {
            table.BeginToLook(frames, candidates, wholeEntries: true);
        }

        table.LookAhead(frames, candidates, at, wholeEntries: true);
        if (follows && at + FlowTable.Step < frames.Length)
        {
            // Their entries, which say where the connections are, have been asked for a step earlier.
            table.AskForConnections(candidates.Slice(at + FlowTable.Step, Math.Min(FlowTable.Step, frames.Length - at - FlowTable.Step)));
        }
    }

    /// <summary>A whole packet that may go one hop further and changes nothing about its connection.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    internal static bool IsOrdinary(in PacketHeaders headers, FlowState state) =>
        headers.Fragment == FragmentKind.None && headers.Ttl > 1 && !TcpStates.Matters(state, headers.TcpFlags);

    /// <summary>Notes that a packet of a flow has left.</summary>
    internal static void Book(ref FlowEntry entry, uint ticks, ref BackendCounts counts, int bytes)
    {
        // Written only when it changes, so that the lines of busy flows stay clean.
        if (entry.LastSeen != ticks)
        {
            entry.LastSeen = ticks;
        }

        counts.Packets++;
        counts.Bytes += bytes;
    }

    /// <summary>The same records as those of the stages this stands for.</summary>
    internal static void Explain(WorkerContext context, PacketBatch batch, int i, int untagged, int flow)
    {
        ForwardingTables tables = context.Tables;
        ref readonly FlowEntry entry = ref context.Flows[flow];
        NextHop hop = tables.NextHops[entry.Path.NextHop];
        (batch.NextHops[i], batch.Neighbours[i]) = (entry.Path.NextHop, entry.Path.Neighbour);
        IngressStage.Explain(context, batch, i, untagged);
        (batch.States[i], batch.StateReasons[i]) = tables.Filter.HasStates ? (ConnectionStates.Established, StateReason.Answered) : default;
        if (tables.Filter.HasStates)
        {
            ConnectionStage.Explain(context, batch, i, batch.States[i], batch.StateReasons[i]);
        }

        FilterStage.Explain(context, batch, i, tables.Filter, entry.FilterRule, FilterAction.Allow);
        FlowStage.Explain(context, batch, in entry);
        RouteStage.ExplainNextHop(context, batch, i, hop);
        NeighbourStage.Explain(context, batch, i, hop, entry.Path.Neighbour);
        RewriteStage.Explain(context, batch, i, hop.Interface, flow, takeTtl: true);
    }
}
