using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Nat;

/// <summary>Gives the first packet of a flow from inside to outside the address it is to seem to come from, and the flow its entries.</summary>
/// <remarks>
/// Input: packets with verdict forward and without a flow. Output: a flow for those that a rule covers. Drops: protocols without ports, full
/// table, no free port. State: flow table. Cost: for packets without a flow a few comparisons for each of up to eight rules; with more, one or two
/// probes for each length of source prefixes there is. The rest is paid once per flow.
/// It stands behind the routing, because where a packet leaves decides what it seems to come from.
/// </remarks>
internal static class NatStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (context.Tables.Nat.IsEmpty)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            // ICMP errors about translated flows have been translated with them.
            if (batch.Verdicts[i] == Verdict.Forward && batch.Flows[i] < 0 && (batch.Marks[i] & (PacketMarks.LocalOrigin | PacketMarks.AboutFlow)) == 0)
            {
                Look<TTracing>(context, batch, i);
            }
        }
    }

    private static void Look<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        short came = batch.InInterfaces[i];
        ushort port = came >= 0 ? tables.Interfaces[came].Port : batch.Port.Value;
        L3Interface way = tables.NextHops[batch.NextHops[i]].Interface;
        NatRule? rule = tables.Nat.Find(port, way.Index, batch.Parsed[i].Key.Source);
        if (rule is not null)
        {
            Assign<TTracing>(context, batch, i, rule);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // Once per flow.
    private static void Assign<TTracing>(WorkerContext context, PacketBatch batch, int i, NatRule rule)
        where TTracing : struct, ITracing
    {
        BackendRuntime address = rule.AddressFor(batch.Parsed[i].Key.Source);
        int flow = Find<TTracing>(context, batch, i, out DropReason reason);
        bool isNew = flow < 0 && reason == DropReason.None;
        if (isNew)
        {
            flow = rule.IsMapped
                ? MappedFlows.CreateOutward(context, in batch.Parsed[i], rule, FlowMarks.None, out reason)
                : SourceNatFlows.Create(context, in batch.Parsed[i], batch.Parsed[i].Key.Destination, address, out reason);
        }

        if (flow < 0)
        {
            batch.Drop(i, reason);
        }
        else
        {
            ref FlowEntry entry = ref context.Flows[flow];
            batch.Flows[i] = flow;
            (entry.Path.NextHop, entry.Path.TablesVersion, entry.Path.Neighbour) = (batch.NextHops[i], context.Tables.Version, -1);
            if (isNew)
            {
                ConnectionFlows.Begin(context, batch, i, flow);
            }

            FlowStage.RememberFilter(context, batch, i, ref entry);
            if (isNew && !TTracing.IsOn)
            {
                Count(ref context.Tables.BackendCounters[address.Slot].Counts, batch.Lengths[i]);
            }
        }

        if (TTracing.IsOn)
        {
            Explain(context, batch, i, rule, address);
        }
    }

    /// <summary>A flow that an earlier packet of this batch has made.</summary>
    private static int Find<TTracing>(WorkerContext context, PacketBatch batch, int i, out DropReason reason)
        where TTracing : struct, ITracing
    {
        reason = CanBegin(batch, i) ? DropReason.None : DropReason.NatUnsupported;
        if (reason != DropReason.None)
        {
            return -1;
        }

        int flow = context.Flows.Find(in batch.Parsed[i].Key, context.Hash.Of(in batch.Parsed[i].Key));
        if (flow >= 0)
        {
            FlowStage.Hit<TTracing>(context, batch, i, flow);
        }

        // It may have ended by this packet, which begins one of its own.
        return batch.Flows[i];
    }

    /// <summary>Whether a packet is one that translated flows begin with.</summary>
    public static bool CanBegin(PacketBatch batch, int i) => !batch.Parsed[i].Headers.IsSourceRouted
        && (batch.Parsed[i].Headers.Protocol is IpProtocols.Tcp or IpProtocols.Udp || IsEchoRequest(batch, i));

    private static bool IsEchoRequest(PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool isFollowed = (batch.Marks[i] & PacketMarks.Followed) != 0;
        return headers.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6 && (isFollowed || headers.TransportOffset != 0)
            && (isFollowed ? batch.Followed[i].Flags : batch.Frame(i)[headers.TransportOffset]) == (headers.Protocol == IpProtocols.Icmp ? Icmpv4Types.EchoRequest : Icmpv6Types.EchoRequest);
    }

    internal static void Count(ref BackendCounts counts, int bytes)
    {
        counts.Flows++;
        counts.Packets++;
        counts.Bytes += bytes;
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, NatRule rule, BackendRuntime address)
    {
        string name = $"{rule.Spec.Inside} to {rule.Spec.Outside}";
        if (batch.Verdicts[i] == Verdict.Drop)
        {
            context.Trace!.Add(batch, "nat", batch.Reasons[i].ToName(), $"from {name} packets leave as {address.Address}, and this one cannot",
                ("rule", name), ("address", address.Address.ToString()));
            return;
        }

        ref readonly FlowEntry entry = ref context.Flows[batch.Flows[i]];
        context.Trace!.Add(batch, "nat", "translated", $"from {name}: leaves as {entry.NewSource} port {entry.NewPorts >> 16}",
            ("rule", name), ("new_source", entry.NewSource.ToString()), ("new_source_port", (int)(entry.NewPorts >> 16)));
    }
}
