using Dataplane.Balancing.ConnectionIds;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Balancing;

/// <summary>Gives the first packet of a flow to a service its backend, and the flow its entries.</summary>
/// <remarks>
/// Input: packets without a flow. Output: a flow for those to a service; without room for one, what they need to leave (<see cref="StatelessFlows"/>).
/// Drops: no backend, full table, no free port. State: flow table, cursors. Cost: one hash look-up for packets that are for no service, and one
/// more for each length of a prefix where services have prefixes or several ports (<see cref="WideServices"/>); the rest is paid once per flow.
/// </remarks>
internal static class BalanceStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        ServiceTable services = context.Tables.Services;
        if (services.IsEmpty)
        {
            return;
        }

        bool isStateless = context.Stateless.IsOn(context.NowNs);
        for (int i = 0; i < batch.Count; i++)
        {
            // What a routing header leads elsewhere is not for the service, only past its address.
            ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
            if (batch.Verdicts[i] != Verdict.Continue || batch.Flows[i] >= 0 || headers.Protocol is not (IpProtocols.Tcp or IpProtocols.Udp) || headers.IsSourceRouted)
            {
                continue;
            }

            ServiceRuntime? service = (batch.Marks[i] & PacketMarks.Switched) != 0 ? null : services.Find(in batch.Parsed[i].Key);
            if (service is not null)
            {
                Assign<TTracing>(context, batch, i, service);
            }
            else if (isStateless)
            {
                StatelessFlows.Return<TTracing>(context, batch, i);
            }
        }
    }

    private static void Assign<TTracing>(WorkerContext context, PacketBatch batch, int i, ServiceRuntime service)
        where TTracing : struct, ITracing
    {
        // An earlier packet of this batch may have made the flow. Fragments have another hash.
        uint hash = batch.Parsed[i].Headers.Fragment == FragmentKind.None ? batch.Parsed[i].Hash : context.Hash.Of(in batch.Parsed[i].Key);
        int flow = context.Flows.Find(in batch.Parsed[i].Key, hash);
        if (flow >= 0)
        {
            FlowStage.Hit<TTracing>(context, batch, i, flow);
            if (batch.Flows[i] >= 0 || batch.Verdicts[i] != Verdict.Continue)
            {
                return;
            }

            // The packet has ended that flow, and begins one of its own.
        }

        (int slot, BackendCounter[] counters) = (-1, context.Tables.BackendCounters);
        BackendRuntime? named = ConnectionIdSteering.Route<TTracing>(batch, i, service);
        ServiceRuntime part = service.For(in batch.Parsed[i].Key);
        BackendRuntime? backend = named ?? part.Remembered(in batch.Parsed[i].Key, context.Hash, context.NowNs);
        if (backend is null || (named is null && part.Bound?.HasRoom(backend, counters) == false))
        {
            backend = part.Choose(in batch.Parsed[i].Key, hash, counters, out slot);
        }

        if (backend is null)
        {
            Refuse(context, batch, i, service);
        }
        else
        {
            byte flags = batch.Parsed[i].Headers.TcpFlags;
            flow = service.Spec.Forward != ForwardMode.Nat
                ? ConnectionFlows.Create(context, in batch.Parsed[i].Key, hash, flags, backend, out DropReason reason)
                : NatFlows.Create(context, in batch.Parsed[i].Key, hash, flags, SourceOf(context, batch, i, backend.Address), backend, out reason);
            if (flow < 0)
            {
                if (reason == DropReason.FlowTableFull && StatelessFlows.TryForward<TTracing>(context, batch, i, part, named))
                {
                    return;
                }

                batch.Drop(i, reason);
            }
            else
            {
                batch.Flows[i] = flow;
                ConnectionFlows.Begin(context, batch, i, flow);
                FlowStage.RememberFilter(context, batch, i, ref context.Flows[flow]);
                ConnectionIdSteering.Begin<TTracing>(context.Flows, flow, service, named);
                if (!TTracing.IsOn)
                {
                    Count(counters[backend.Slot], batch.Lengths[i]);
                    if (IsDiverted(part, slot, backend))
                    {
                        counters[part.BackendOf(slot).Slot].Counts.Diverted++;
                    }

                    service.Remember(in batch.Parsed[i].Key, context.Hash, context.NowNs, backend);
                }
            }
        }

        if (TTracing.IsOn)
        {
            ConnectionIdSteering.Explain(context, batch, service);
            Explain(context, batch, i, part, backend, slot, named is not null);
        }
    }

    private static void Refuse(WorkerContext context, PacketBatch batch, int i, ServiceRuntime service)
    {
        if (service.Spec.NoBackend == NoBackendPolicy.Reject)
        {
            if (batch.Parsed[i].Headers.Protocol == IpProtocols.Tcp)
            {
                TcpResets.Answer(context, batch, i);
            }
            else
            {
                IcmpErrors.SendPortUnreachable(context, batch, i);
            }
        }

        batch.Drop(i, DropReason.NoBackend);
    }

    /// <summary>
    /// What the packet is to come from: its client, as a rule. A client on the same link as the backend would be answered past the engine: it comes from the
    /// address of the source NAT rule that covers it (hairpinning, RFC 4787 REQ-9). And a server that is its own client would take its own address for
    /// forged, and answer itself: to such a one it comes from the engine's address on its link.
    /// </summary>
    internal static IpAddress SourceOf(WorkerContext context, PacketBatch batch, int i, IpAddress target)
    {
        ForwardingTables tables = context.Tables;
        IpAddress client = batch.Parsed[i].Key.Source;
        if (batch.InInterfaces[i] is not (>= 0 and short came))
        {
            return client;
        }

        // What endpoints of a network say to each other comes by the engine anyway.
        if (!tables.Nat.IsEmpty && tables.Nat.FindInside(tables.Interfaces[came].Port, client) is { Inside: >= 0 } rule
            && tables.Lookup(target) is { Kind: RouteKind.Forward } route && tables.NextHops[route.Select(batch.Parsed[i].Hash)].Interface.Index == came)
        {
            return rule.AddressFor(client).Address;
        }

        return target == client ? tables.Interfaces[came].SourceFor(client) : client;
    }

    /// <summary>Whether a flow went past the backend of its slot, since that had as many as it may.</summary>
    private static bool IsDiverted(ServiceRuntime service, int slot, BackendRuntime? backend) =>
        service.Bound is not null && slot >= 0 && !ReferenceEquals(service.BackendOf(slot), backend);

    private static void Count(BackendCounter counter, int bytes)
    {
        ref BackendCounts counts = ref counter.Counts;
        counts.Flows++;
        counts.Packets++;
        counts.Bytes += bytes;
    }

    private static void ExplainSteering(WorkerContext context, PacketBatch batch, in FlowKey key)
    {
        if (context.Tables.Services.Find(in key) is { Steering: { } steering } service && steering.Find(in key, out int length, out string groups) is { } part)
        {
            IpPrefix from = new IpPrefix(key.Source, length).Network;
            bool takes = part.Eligible.Length > 0;
            context.Trace!.Add(batch, "steer", takes ? "steered" : "nobody",
                $"clients of {from} go to {groups}{(takes ? "" : ", where nobody takes new flows: to the whole service")}", ("service", service.Spec.Name), ("from", from.ToString()), ("to", groups));
        }
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, ServiceRuntime service, BackendRuntime? backend, int slot, bool isNamed)
    {
        if (!isNamed)
        {
            ExplainSteering(context, batch, in batch.Parsed[i].Key);
        }

        string policy = SpecNames.Policies.NameOf(service.Spec.Balance)!;
        string outcome = batch.Verdicts[i] == Verdict.Drop ? batch.Reasons[i].ToName() : backend!.ToString();
        string place = isNamed ? "is not asked, since the connection ID" : slot < 0 ? backend is null ? "without a choice" : "remembers the client and"
            : IsDiverted(service, slot, backend) ? $"slot {slot} of {service.Spec.TableSize}, whose backend {service.BackendOf(slot)} has as many flows as it may,"
            : service.Table is not null ? $"slot {slot} of {service.Spec.TableSize}"
            : service.Schedule is not null ? $"turn {slot}"
            : $"number {slot} of {service.Eligible.Length}";
        context.Trace!.Add(batch, "balance", outcome, $"service {service.Spec.Name}: {policy} {place} gives {backend?.ToString() ?? "no backend"}",
            ("service", service.Spec.Name), ("policy", policy), ("hash", SpecNames.HashFields.NameOf(BalanceHash.FieldsOf(service.Spec))), ("slot", slot), ("backend", backend?.ToString()),
            ("candidates", service.All.Select(candidate => $"{candidate} weight {candidate.Weight}").ToArray()), ("tables_version", context.Tables.Version));
    }
}
