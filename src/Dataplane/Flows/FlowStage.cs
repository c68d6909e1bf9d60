using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Flows;

/// <summary>Finds the flow a packet belongs to, keeps the flow alive, follows its state, and has it remember what may be.</summary>
/// <remarks>
/// Input: packets that passed the filter. Output: the flow's index. Drops: invalid ICMP errors.
/// State: flow table. Cost: one bucket line and one entry line for a hit; the other line of the entry is paid by the rewrite. Most packets of established
/// flows do not come here: <see cref="EstablishedStage"/> has sent them on.
/// </remarks>
internal static class FlowStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        FlowTable flows = context.Flows;
        flows.ReleaseRetired();
        batch.Flows.AsSpan(0, batch.Count).Fill(-1);
        if (flows.Count == 0)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] == Verdict.Continue)
            {
                FindFlow<TTracing>(context, batch, i);
            }
        }
    }

    private static void FindFlow<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Protocol is not (IpProtocols.Tcp or IpProtocols.Udp) || headers.Fragment != FragmentKind.None)
        {
            HandleOther<TTracing>(context, batch, i);
            return;
        }

        int index = context.Flows.Find(in batch.Parsed[i].Key, batch.Parsed[i].Hash);
        if (index >= 0)
        {
            Hit<TTracing>(context, batch, i, index);
        }
    }

    /// <summary>Books a packet on its flow, unless the flow has ended with its backend or its connection.</summary>
    public static void Hit<TTracing>(WorkerContext context, PacketBatch batch, int i, int index)
        where TTracing : struct, ITracing
    {
        ref FlowEntry entry = ref context.Flows[index];
        byte flags = batch.Parsed[i].Headers.TcpFlags;
        ForwardingTables tables = context.Tables;
        if (entry.TablesVersion != tables.Version && tables.FateOf(entry.Backend, entry.BackendGeneration) is var fate && fate != BackendFate.Stay)
        {
            Leave<TTracing>(context, batch, i, index, fate);
            return;
        }

        if (!TTracing.IsOn && entry.State == FlowState.TcpTransitory)
        {
            Judge(in entry, flags, ref tables.BackendCounters[entry.Backend].Counts);
        }

        if (tables.Filter.HasStates)
        {
            if (!ConnectionFlows.Follow(context, batch, i, index))
            {
                End<TTracing>(context, batch, index, "a new connection reuses its ports");
                return;
            }
        }
        else if (TcpStates.Matters(entry.State, flags))
        {
            if (TcpStates.Reopens(entry.State, flags, entry.IsForward))
            {
                End<TTracing>(context, batch, index, "a new connection reuses its ports");
                return;
            }

            entry.State = TcpStates.Next(entry.State, flags, entry.IsForward);
            context.Flows[entry.Peer].State = entry.State;
        }

        // What does not belong to the connection does not keep it alive.
        uint ticks = FlowTable.Ticks(context.NowNs);
        if (entry.LastSeen != ticks && (!tables.Filter.HasStates || batch.States[i] != ConnectionStates.Invalid))
        {
            entry.LastSeen = ticks;
        }

        batch.Flows[i] = index;
        RememberFilter(context, batch, i, ref entry);
        if (TTracing.IsOn)
        {
            Explain(context, batch, in entry);
        }
        else
        {
            ref BackendCounts counts = ref tables.BackendCounters[entry.Backend].Counts;
            counts.Packets++;
            counts.Bytes += batch.Lengths[i];
        }
    }

    /// <summary>Counts what a packet of a beginning or ending connection says about its backend's health.</summary>
    private static void Judge(in FlowEntry entry, byte flags, ref BackendCounts counts)
    {
        if (!entry.IsForward)
        {
            counts.Refused += (flags & TcpStates.Rst) != 0 ? 1 : 0;
        }
        else if ((flags & (TcpStates.Syn | TcpStates.Ack)) == TcpStates.Syn)
        {
            // The client says it again: nothing has come to it.
            counts.Unanswered++;
        }
        else
        {
            counts.Established += TcpStates.Next(entry.State, flags, forward: true) == FlowState.TcpEstablished ? 1 : 0;
        }
    }

    /// <summary>Ends the flow of a packet whose backend has gone; the packet goes on as one without a flow, or is answered by a reset.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // Once per flow.
    private static void Leave<TTracing>(WorkerContext context, PacketBatch batch, int i, int index, BackendFate fate)
        where TTracing : struct, ITracing
    {
        End<TTracing>(context, batch, index, "its backend or address has gone");
        if (fate == BackendFate.Reset)
        {
            TcpResets.Answer(context, batch, i);
            batch.Drop(i, DropReason.FlowReset);
        }
    }

    /// <summary>Lets a flow remember by which rule its packet has passed the filter, and what that depends on besides the flow's key.</summary>
    public static void RememberFilter(WorkerContext context, PacketBatch batch, int i, ref FlowEntry entry)
    {
        int rule = batch.FilterRules[i];
        entry.FilterRule = rule;

        // Echo and others never take the short way, which knows ports only where TCP and UDP have them. Where rules ask for states, a rule holds for the packets
        // to come only if they will be in the same.
        bool holds = rule != FilterProgram.Unknown && entry.State is not (FlowState.IcmpQuery or FlowState.Other)
            && (!context.Tables.Filter.HasStates || batch.StateReasons[i] == StateReason.Answered);
        entry.InPort = holds ? batch.Port.Value : FlowEntry.NoPort;
        entry.FilterFlags = (byte)(batch.Parsed[i].Headers.TcpFlags & context.Tables.Filter.FlagsLookedAt);
    }

    /// <summary>ICMP errors about flows, and fragments of flows.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // Rare, and large: it would take registers from the loop.
    private static void HandleOther<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Protocol is IpProtocols.Tcp or IpProtocols.Udp)
        {
            HandleFragment<TTracing>(context, batch, i);
        }
        else if (headers.TransportOffset != 0 && headers.Protocol == (headers.IpVersion == 4 ? IpProtocols.Icmp : IpProtocols.Icmpv6))
        {
            HandleIcmp<TTracing>(context, batch, i);
        }
        else if (context.Tables.Tracked is not null || (batch.Marks[i] & PacketMarks.Followed) != 0)
        {
            // Later fragments of echo; and without ports, a flow by addresses alone, if anybody follows it.
            HandleFragment<TTracing>(context, batch, i);
        }
    }

    /// <summary>The hash of a fragment leaves the ports out, and its flow's has them.</summary>
    private static void HandleFragment<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        int index = context.Flows.Find(in batch.Parsed[i].Key, context.Hash.Of(in batch.Parsed[i].Key));
        if (index >= 0)
        {
            Hit<TTracing>(context, batch, i, index);
        }
    }

    private static void HandleIcmp<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        if (IcmpEcho.Is(batch.Parsed[i].Headers.Protocol, batch.Frame(i)[batch.Parsed[i].Headers.TransportOffset]))
        {
            int index = context.Flows.Find(in batch.Parsed[i].Key, context.Hash.Of(in batch.Parsed[i].Key));
            if (index >= 0)
            {
                Hit<TTracing>(context, batch, i, index);
            }
        }
        else
        {
            IcmpErrorTranslation.Process<TTracing>(context, batch, i);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
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

    /// <summary>Says which flow the packet belongs to.</summary>
    public static void Explain(WorkerContext context, PacketBatch batch, in FlowEntry entry)
    {
        if (entry.IsPlain)
        {
            string way = context.Tables.IsDirect(in entry) ? $"to the backend {context.Tables.TargetOf(in entry)}" : entry.IsForward ? "there" : "back";
            context.Trace!.Add(batch, "flow", "hit", $"established flow {way}: {entry.State}, leaves as it is", ("state", entry.State.ToString()), ("direction", way));
            return;
        }

        string direction = entry.IsForward ? entry.IsSourceTranslated ? "outwards" : "to the backend" : context.Flows[entry.Peer].IsSourceTranslated ? "inwards" : "to the client";
        context.Trace!.Add(batch, "flow", "hit", $"established flow {direction}: {entry.State}, leaves as {entry.NewSource} > {entry.NewDestination}",
            ("state", entry.State.ToString()), ("direction", direction), ("new_source", entry.NewSource.ToString()),
            ("new_source_port", (int)(entry.NewPorts >> 16)), ("new_destination", entry.NewDestination.ToString()),
            ("new_destination_port", (int)(ushort)entry.NewPorts));
    }
}
