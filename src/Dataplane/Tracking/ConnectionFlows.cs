using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Tracking;

/// <summary>Flows as connections: what packets that have passed the filter change about them, and flows for what nobody translates.</summary>
/// <remarks>
/// Input: packets with verdict forward and without a flow. Output: a flow for those that are new, whose packets leave as they come. Drops: full table, keys taken by
/// a translated flow. State: flow table. Cost: for packets of known flows nothing; a new flow is paid once.
/// It stands behind the translations, so that a packet has one flow at most.
/// </remarks>
internal static class ConnectionFlows
{
    /// <summary>Whether a flow has not ended with its backend, its address, or the rules that ask for states.</summary>
    public static bool IsLive(WorkerContext context, int index)
    {
        ref readonly FlowEntry entry = ref context.Flows[index];
        return entry.Path.TablesVersion == context.Tables.Version || context.Tables.FateOf(entry.Backend, entry.BackendGeneration) == BackendFate.Stay;
    }

    /// <summary>Gives new connections that are translated by nobody their flows.</summary>
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (context.Tables.Tracked is not { } tracked)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] == Verdict.Forward && batch.Flows[i] < 0 && batch.States[i] == ConnectionStates.New
                && (batch.Marks[i] & PacketMarks.LocalOrigin) == 0)
            {
                Add<TTracing>(context, batch, i, tracked);
            }
        }
    }

    /// <summary>Gives a packet that leaves past the routing its flow, if rules ask for states and it begins a connection.</summary>
    /// <returns>False when it was dropped, since there is no room.</returns>
    public static bool TryFollow<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        if (context.Tables.Tracked is { } tracked && batch.Flows[i] < 0 && batch.States[i] == ConnectionStates.New)
        {
            Add<TTracing>(context, batch, i, tracked);
        }

        return batch.Verdicts[i] != Verdict.Drop;
    }

    /// <summary>Books a packet on its connection.</summary>
    /// <returns>False when the packet ends the flow, because it begins another.</returns>
    public static bool Follow(WorkerContext context, PacketBatch batch, int i, int index)
    {
        StateReason reason = batch.StateReasons[i];
        if (reason == StateReason.Reopens)
        {
            return false;
        }

        // One that was held has been followed before; one that is invalid changes nothing.
        if (reason == StateReason.None || StateReasons.IsInvalid(reason))
        {
            return true;
        }

        ref FlowEntry entry = ref context.Flows[index];
        ref Connection connection = ref context.Flows.ConnectionOf(index);
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Protocol != IpProtocols.Tcp || headers.TransportOffset == 0)
        {
            connection.IsAnswered |= !entry.IsForward;
            if (headers.Protocol == IpProtocols.Tcp)
            {
                TcpTracker.Extend(ref connection, entry.IsForward, batch.Followed[i].End);
            }

            return true;
        }

        if (context.Tables.IsDirect(in entry))
        {
            context.Flows.Turn(index, TcpStates.Next(entry.State, headers.TcpFlags, forward: true, isAnswered: true));
            return true;
        }

        // An earlier packet of this batch may have made the flow: then it is not the beginning any more.
        var segment = TcpSegment.Read(batch.Frame(i)[headers.TransportOffset..headers.EndOffset]);
        TcpTracker.Follow(ref connection, entry.IsForward, in segment, reason);
        context.Flows.Turn(index, TcpTracker.StateOf(in connection));
        return true;
    }

    /// <summary>Begins to follow a flow that a packet has made, if there are rules that ask.</summary>
    public static void Begin(WorkerContext context, PacketBatch batch, int i, int index)
    {
        if (!context.Tables.Filter.HasStates)
        {
            return;
        }

        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref Connection connection = ref context.Flows.ConnectionOf(index);
        connection = default;
        if (headers.Protocol == IpProtocols.Tcp && headers.TransportOffset != 0 && !context.Tables.IsDirect(in context.Flows[index]))
        {
            var segment = TcpSegment.Read(batch.Frame(i)[headers.TransportOffset..headers.EndOffset]);
            TcpTracker.Begin(ref connection, in segment);
            context.Flows.Turn(index, TcpTracker.StateOf(in connection));
        }
    }

    /// <summary>Whether a packet of an established flow may take the short way; if so, it is followed.</summary>
    public static bool TryPass(WorkerContext context, PacketBatch batch, int i, int index, in FlowEntry entry)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Protocol != IpProtocols.Tcp)
        {
            return true;
        }

        var segment = TcpSegment.Read(batch.Frame(i)[headers.TransportOffset..headers.EndOffset]);
        return TcpTracker.TryPass(ref context.Flows.ConnectionAt(entry.IsForward ? index : entry.Peer), entry.IsForward, in segment);
    }

    private static void Add<TTracing>(WorkerContext context, PacketBatch batch, int i, BackendRuntime tracked)
        where TTracing : struct, ITracing
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        uint hash = headers.Fragment == FragmentKind.None ? batch.Parsed[i].Hash : context.Hash.Of(in key);
        int flow = context.Flows.Find(in key, hash);
        if (flow >= 0)
        {
            // An earlier packet of this batch has made it.
            FlowStage.Hit<TTracing>(context, batch, i, flow);
            if (batch.Flows[i] >= 0)
            {
                return;
            }
        }

        flow = Create(context, in key, hash, headers.TcpFlags, tracked, out DropReason reason);
        if (flow < 0)
        {
            batch.Drop(i, reason);
        }
        else
        {
            ref FlowEntry entry = ref context.Flows[flow];
            batch.Flows[i] = flow;
            (entry.Path.NextHop, entry.Path.TablesVersion, entry.Path.Neighbour) = (batch.NextHops[i], context.Tables.Version, -1);
            Begin(context, batch, i, flow);
            FlowStage.RememberFilter(context, batch, i, ref entry);
            if (!TTracing.IsOn)
            {
                ref BackendCounts counts = ref context.Tables.BackendCounters[tracked.Slot].Counts;
                counts.Flows++;
                counts.Packets++;
                counts.Bytes += batch.Lengths[i];
            }
        }

        if (TTracing.IsOn)
        {
            context.Trace!.Add(batch, "track", flow < 0 ? reason.ToName() : "followed",
                flow < 0 ? "the connection can not be followed" : $"{key} is a connection from now on");
        }
    }

    /// <summary>Makes a flow whose packets leave as they come.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="key">The flow as its first packet has it.</param>
    /// <param name="hash">Hash of <paramref name="key"/>.</param>
    /// <param name="tcpFlags">Of its first packet.</param>
    /// <param name="tracked">What the flow is counted for.</param>
    /// <param name="reason">Why it could not be made.</param>
    /// <returns>Index of the entry of this direction, or -1.</returns>
    public static int Create(WorkerContext context, in FlowKey key, uint hash, byte tcpFlags, BackendRuntime tracked, out DropReason reason)
    {
        FlowKey turned = key.Reversed();
        uint back = context.Hash.Of(in turned);
        reason = DropReason.None;
        if (context.Flows.Find(in turned, back) >= 0)
        {
            // A translated flow's answers look the same; they could not be told apart.
            reason = DropReason.NoFreePort;
            return -1;
        }

        FlowEntry forward = Plain(in key, hash, tcpFlags, tracked), reverse = Plain(in turned, back, tcpFlags, tracked);
        int index = context.Flows.InsertPair(in forward, in reverse, context.NowNs);
        reason = index < 0 ? DropReason.FlowTableFull : reason;
        return index;
    }

    /// <summary>An entry whose packets leave as they come: differences of checksums stay 0.</summary>
    public static FlowEntry Plain(in FlowKey key, uint hash, byte tcpFlags, BackendRuntime tracked) => new()
    {
        Key = key,
        Hash = hash,
        NewSourceHigh = key.SourceHigh,
        NewSourceLow = key.SourceLow,
        NewDestinationHigh = key.DestinationHigh,
        NewDestinationLow = key.DestinationLow,
        NewPorts = (uint)(key.Transport >> 32),
        IsPlain = true,
        State = key.Protocol is IpProtocols.Tcp or IpProtocols.Udp or IpProtocols.Icmp or IpProtocols.Icmpv6 ? TcpStates.First(key.Protocol, tcpFlags) : FlowState.Other,
        Marks = TcpStates.FirstMarks(key.Protocol, tcpFlags),
        Backend = tracked.Slot,
        BackendGeneration = tracked.Generation,
        Path = FlowPath.None,
        InPort = FlowEntry.NoPort,
    };
}
