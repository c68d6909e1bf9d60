using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Balancing;

/// <summary>Packets to services, and back, for whose flows there is no room: the hash says each time anew which backend, so that nothing need be remembered.</summary>
/// <remarks>
/// A client keeps its backend as long as the backends that take new flows stay the same, whatever the service's policy is with flows; those that choose by hash give the
/// same as with a flow, so that a connection goes over from one to the other and back. What has to be remembered cannot be served: packets under rules with states, of
/// backends that belong to several services or cannot tell by address and port which of a service's they were asked at, of clients whose address or port must change. Those are refused as before. ICMP errors about such connections are not
/// translated. Cost: as the first packet of a flow, each.
/// </remarks>
internal static class StatelessFlows
{
    /// <summary>Forwards a packet to a service.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="service">The service.</param>
    /// <param name="named">The backend that the packet's connection ID names, if it does.</param>
    /// <returns>False when it cannot be done without a flow.</returns>
    public static bool TryForward<TTracing>(WorkerContext context, PacketBatch batch, int i, ServiceRuntime service, BackendRuntime? named)
        where TTracing : struct, ITracing
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        if (context.Tables.Filter.HasStates || (named ?? service.Remembered(in key, context.Hash, context.NowNs) ?? service.ChooseByHash(in key)) is not { } backend)
        {
            return false;
        }

        byte flags = batch.Parsed[i].Headers.TcpFlags;
        ref FlowEntry entry = ref context.Flows.Lend(i, out int index);
        uint back = 0;
        if (service.Spec.Forward != ForwardMode.Nat)
        {
            entry = ConnectionFlows.Plain(in key, batch.Parsed[i].Hash, flags, backend);
        }
        else
        {
            FlowKey answer = FlowKey.Create(backend.Address, backend.PortFor(key.DestinationPort), key.Source, key.SourcePort, key.Protocol);
            back = context.Hash.Of(in answer);
            if (!context.Tables.Returns.TryFind(in answer, out _) || context.Flows.Find(in answer, back) >= 0
                || BalanceStage.SourceOf(context, batch, i, backend.Address) != key.Source)
            {
                return false;
            }

            entry = NatFlows.OneWay(in key, flags, key.Source, key.SourcePort, backend.Address, backend.PortFor(key.DestinationPort), backend.Slot, backend.Generation);
        }

        entry.IsForward = true;
        entry.Peer = index;
        batch.Flows[i] = index;
        context.Stateless.Note(context.NowNs, back);
        Count<TTracing>(context, batch, i, backend.Slot);
        if (TTracing.IsOn)
        {
            context.Trace!.Add(batch, "balance", "stateless", $"no room for a flow: the {(named is null ? "hash" : "connection ID")} gives {backend}", ("service", service.Spec.Name), ("backend", backend.ToString()));
        }
        else
        {
            service.Remember(in key, context.Hash, context.NowNs, backend);
        }

        return true;
    }

    /// <summary>Translates a backend's answer to what was forwarded without a flow; leaves all others alone.</summary>
    public static void Return<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        byte flags = batch.Parsed[i].Headers.TcpFlags;
        if ((flags & (TcpStates.Syn | TcpStates.Ack)) == TcpStates.Syn
            || !context.Tables.Returns.TryFind(in key, out ReturnTable.Place backend)
            || !context.Stateless.Expects(context.Hash.Of(in key)))
        {
            return;
        }

        ref FlowEntry entry = ref context.Flows.Lend(i, out int index);
        entry = NatFlows.OneWay(in key, flags, backend.Service, backend.Ports.First, key.Destination, key.DestinationPort, backend.Slot,
            context.Tables.BackendGenerations[backend.Slot]);
        entry.Peer = index;
        batch.Flows[i] = index;
        context.Stateless.Count();
        Count<TTracing>(context, batch, i, backend.Slot);
        if (TTracing.IsOn)
        {
            context.Trace!.Add(batch, "balance", "stateless", $"an answer without a flow, from {backend.Service} port {backend.Ports.First}",
                ("new_source", backend.Service.ToString()), ("new_source_port", (int)backend.Ports.First));
        }
    }

    private static void Count<TTracing>(WorkerContext context, PacketBatch batch, int i, int slot)
        where TTracing : struct, ITracing
    {
        if (!TTracing.IsOn && (batch.Marks[i] & PacketMarks.Booked) == 0)
        {
            ref BackendCounts counts = ref context.Tables.BackendCounters[slot].Counts;
            counts.Packets++;
            counts.Bytes += batch.Lengths[i];
        }
    }
}
