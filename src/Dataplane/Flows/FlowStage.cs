using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Balancing.ConnectionIds;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;
using Dataplane.Tunnels;

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
        flows.Begin(batch);
        batch.Flows[..batch.Count].Fill(-1);
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
        if (index >= 0 && MayTranslate(context, in headers, index))
        {
            Hit<TTracing>(context, batch, i, index);
        }
    }

    /// <summary>
    /// What a routing header leads elsewhere is no part of a translated flow, whose other end the answers would have to come from; and its checksum holds the last
    /// address of that header, so that nobody knows what another destination would change about it.
    /// </summary>
    private static bool MayTranslate(WorkerContext context, in PacketHeaders headers, int index) => !headers.IsSourceRouted || context.Flows[index].IsPlain;

    /// <summary>Books a packet on its flow, unless the flow has ended with its backend or its connection.</summary>
    public static void Hit<TTracing>(WorkerContext context, PacketBatch batch, int i, int index)
        where TTracing : struct, ITracing
    {
        ref FlowEntry entry = ref context.Flows[index];
        byte flags = batch.Parsed[i].Headers.TcpFlags;
        ForwardingTables tables = context.Tables;
        if (entry.Path.TablesVersion != tables.Version && tables.FateOf(entry.Backend, entry.BackendGeneration) is var fate && fate != BackendFate.Stay)
        {
            Leave<TTracing>(context, batch, i, index, fate);
            return;
        }

        if (entry.IsForward && entry.Key.Protocol == IpProtocols.Udp && (tables.Services.HasConnectionIds || (entry.Marks & FlowMarks.ConnectionIds) != 0)
            && !ConnectionIdSteering.Follow<TTracing>(context, batch, i, index))
        {
            End<TTracing>(context, batch, index, "its connection ID names another backend");
            return;
        }

        bool isPart = !tables.Filter.HasStates || batch.States[i] != ConnectionStates.Invalid;
        bool isBooked = (batch.Marks[i] & PacketMarks.Booked) != 0;
        if (!TTracing.IsOn && isPart && !isBooked && entry.State == FlowState.TcpTransitory)
        {
            Judge(tables, in entry, flags, ref tables.BackendCounters[entry.Backend].Counts);
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

            context.Flows.Turn(index, TcpStates.Next(entry.State, flags, entry.IsForward, IsAnswered(tables, in entry)));
        }

        // What does not belong to the connection does not keep it alive.
        if (isPart)
        {
            Witness(context, ref entry);
        }

        batch.Flows[i] = index;
        RememberFilter(context, batch, i, ref entry);
        if (TTracing.IsOn)
        {
            Explain(context, batch, in entry);
        }
        else if (!isBooked)
        {
            ref BackendCounts counts = ref tables.BackendCounters[entry.Backend].Counts;
            counts.Packets++;
            counts.Bytes += batch.Lengths[i];
        }
    }

    /// <summary>Books a packet on the flow that an earlier packet of its batch has made, if one has.</summary>
    /// <returns>False when the packet has no flow and is still undecided: it may have ended that one, and begins one of its own.</returns>
    public static bool TryJoin<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        int flow = context.Flows.Find(in key, batch.Parsed[i].Headers.Fragment == FragmentKind.None ? batch.Parsed[i].Hash : context.Hash.Of(in key));
        if (flow >= 0)
        {
            Hit<TTracing>(context, batch, i, flow);
        }

        return batch.Flows[i] >= 0 || batch.Verdicts[i] != Verdict.Continue;
    }

    /// <summary>Notes that a flow is alive, and what the packet shows of its two sides.</summary>
    private static void Witness(WorkerContext context, ref FlowEntry entry)
    {
        uint ticks = FlowTable.Ticks(context.NowNs);
        if (entry.LastSeen != ticks)
        {
            entry.LastSeen = ticks;
        }

        if ((entry.Marks & FlowMarks.Assured) != 0 || (entry.IsForward && (entry.Marks & FlowMarks.Answered) == 0))
        {
            return;
        }

        if ((entry.Marks & (FlowMarks.Mapped | FlowMarks.FromOutside | FlowMarks.Answered)) == (FlowMarks.Mapped | FlowMarks.FromOutside) && !entry.IsForward)
        {
            // Until now the outside alone has sent: it is the inside's answer that lets others of that address in.
            context.Flows.Mappings!.NoteSent(in context.Flows[entry.Peer]);
        }

        ref FlowEntry peer = ref context.Flows[entry.Peer];
        entry.Marks |= entry.IsForward ? FlowMarks.Assured : FlowMarks.Answered;
        if (!entry.IsForward && peer.Marks != entry.Marks)
        {
            // The short way takes no note of what comes next, and the next packet there is the one that counts.
            peer.InPort = FlowEntry.NoPort;
            context.Flows.Offloaded?.Recall(entry.Peer);
        }

        peer.Marks = entry.Marks;
    }

    /// <summary>
    /// Counts what a packet of a beginning connection says about its backend's health. Once the backend has answered, clients that repeat themselves or are reset
    /// say nothing about it any more, and segments of unknown connections never do: or anybody could have a backend taken down.
    /// </summary>
    private static void Judge(ForwardingTables tables, in FlowEntry entry, byte flags, ref BackendCounts counts)
    {
        bool isAnswered = IsAnswered(tables, in entry);
        if ((entry.Marks & FlowMarks.PickedUp) != 0)
        {
            return;
        }

        if (!entry.IsForward)
        {
            counts.Refused += (flags & TcpStates.Rst) != 0 && !isAnswered ? 1 : 0;
        }
        else if ((flags & (TcpStates.Syn | TcpStates.Ack)) == TcpStates.Syn)
        {
            // The client says it again: nothing has come to it.
            counts.Unanswered += isAnswered ? 0 : 1;
        }
        else
        {
            counts.Established += TcpStates.Next(entry.State, flags, forward: true, isAnswered) == FlowState.TcpEstablished ? 1 : 0;
        }
    }

    /// <summary>Whether the other side has answered; of backends that answer past the engine it has to be believed.</summary>
    private static bool IsAnswered(ForwardingTables tables, in FlowEntry entry) => (entry.Marks & FlowMarks.Answered) != 0 || tables.IsDirect(in entry);

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

        // Echo and others never take the short way, which knows ports only where TCP and UDP have them. Where rules ask for states, a rule holds for the packets to come only if they
        // will be in the same.
        bool holds = rule != FilterProgram.Unknown && entry.State is not (FlowState.IcmpQuery or FlowState.Other)
            && (!context.Tables.Filter.HasStates || batch.StateReasons[i] == StateReason.Answered);
        entry.InPort = !holds ? FlowEntry.NoPort : entry.ChangesFamily ? FlowEntry.PortBetweenFamilies(batch.Port.Value) : batch.Port.Value;
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
        if (index >= 0 && MayTranslate(context, in batch.Parsed[i].Headers, index))
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
            if (index >= 0 && MayTranslate(context, in batch.Parsed[i].Headers, index))
            {
                Hit<TTracing>(context, batch, i, index);
            }
        }
        else if (!OuterErrors.TryHandle<TTracing>(context, batch, i))
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
        if (entry.IsForward && (entry.Marks & FlowMarks.ConnectionIds) != 0)
        {
            ConnectionIdSteering.Explain(context, batch, context.Tables.Services.Find(in entry.Key));
        }

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
