using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Nat;

/// <summary>Gives the first packet of a flow to an address that stands for one inside host that host for its destination.</summary>
/// <remarks>
/// Input: undecided packets without a flow. Output: a flow for TCP, UDP and echo requests to the address of a static rule; ports stay. Drops: full table, no
/// free port. State: flow table. Cost: one look-up of the destination in a set for packets without a flow, where there are such rules; the rest is paid once per flow.
/// Services of the address go first.
/// </remarks>
internal static class StaticNatStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        NatTable nat = context.Tables.Nat;
        if (!nat.HasStatics)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] == Verdict.Continue && batch.Flows[i] < 0 && nat.FindStatic(batch.Parsed[i].Key.Destination, out NatStatic target)
                && NatStage.CanBegin(batch, i))
            {
                Assign<TTracing>(context, batch, i, in target);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // Once per flow.
    private static void Assign<TTracing>(WorkerContext context, PacketBatch batch, int i, in NatStatic target)
        where TTracing : struct, ITracing
    {
        if (FlowStage.TryJoin<TTracing>(context, batch, i))
        {
            return;
        }

        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        IpAddress source = BalanceStage.SourceOf(context, batch, i, target.Inside);
        int flow = NatFlows.Create(context, in key, context.Hash.Of(in key), batch.Parsed[i].Headers.TcpFlags, source, target.Inside, key.DestinationPort, target.Address, out DropReason reason);
        if (flow < 0)
        {
            batch.Drop(i, reason);
        }
        else
        {
            batch.Flows[i] = flow;
            ConnectionFlows.Begin(context, batch, i, flow);
            FlowStage.RememberFilter(context, batch, i, ref context.Flows[flow]);
            if (!TTracing.IsOn)
            {
                NatStage.Count(ref context.Tables.BackendCounters[target.Address.Slot].Counts, batch.Lengths[i]);
            }
        }

        if (TTracing.IsOn)
        {
            context.Trace!.Add(batch, "nat", flow < 0 ? reason.ToName() : "translated", $"{key.Destination} stands for {target.Inside}",
                ("address", target.Address.Address.ToString()), ("new_destination", target.Inside.ToString()));
        }
    }
}
