using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Nat;

/// <summary>Lets packets to mapped ports in, if the rule's filtering does, and turns those round that an inside host sends to a mapped port of another.</summary>
/// <remarks>
/// Input: undecided packets. Output: a flow for TCP and UDP from outside to a mapped port; packets between inside hosts translated to the sender's mapped port, and held
/// to go through the stages again. Drops: filtered, full table, no free port, TTL used up. State: flow table and mapped ports. Cost: nothing without such rules; else one look-up of the
/// destination in a set for packets without a flow, and for those to a mapped address one of the mapping. Services of the address go first.
/// A packet between inside hosts goes through the stages twice, each time to the worker whose mapping is asked: so both filters judge it as they judge what comes from elsewhere.
/// </remarks>
internal static class MappingStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        NatTable nat = context.Tables.Nat;
        if (!nat.HasMappings)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            if (batch.Flows[i] < 0 && nat.IsMapped(batch.Parsed[i].Key.Destination))
            {
                Enter<TTracing>(context, batch, i);
            }

            if (batch.Verdicts[i] == Verdict.Continue && batch.Flows[i] is >= 0 and int flow && GoesRound(in context.Flows[flow]))
            {
                TurnRound<TTracing>(context, batch, i, flow);
            }
        }
    }

    /// <summary>Whether packets of this direction are for a mapped port of another inside host.</summary>
    private static bool GoesRound(in FlowEntry entry) => (entry.Marks & FlowMarks.Hairpin) != 0 && !entry.IsInward;

    [MethodImpl(MethodImplOptions.NoInlining)] // Once per flow.
    private static void Enter<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        bool isBack = (batch.Marks[i] & PacketMarks.Hairpin) != 0;
        if ((batch.Marks[i] & PacketMarks.AboutFlow) != 0)
        {
            // An ICMP error from one inside host, translated for another.
            if (!isBack)
            {
                Hold<TTracing>(context, batch, i);
            }

            return;
        }

        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        if (key.Protocol is not (IpProtocols.Tcp or IpProtocols.Udp) || !NatStage.CanBegin(batch, i) || FlowStage.TryJoin<TTracing>(context, batch, i))
        {
            return;
        }

        int mapping = context.Flows.Mappings!.FindOutside(key.Destination, key.DestinationPort, key.Protocol);
        NatRule? rule = isBack || batch.InInterfaces[i] is not (>= 0 and short came) ? null : context.Tables.Nat.FindInside(context.Tables.Interfaces[came].Port, key.Source);
        if (rule is { IsMapped: true })
        {
            // Whether there is such a mapping is known to the port's worker alone; if this is it, what is for nobody is the gateway's own.
            if (mapping >= 0 || context.Share.OwnerOfPort(key.DestinationPort) != context.Share.Index)
            {
                int flow = MappedFlows.CreateOutward(context, in batch.Parsed[i], rule, FlowMarks.Hairpin, out DropReason reason);
                Assign<TTracing>(context, batch, i, flow, reason, rule.AddressFor(key.Source).Slot);
            }
        }
        else if (mapping >= 0)
        {
            LetIn<TTracing>(context, batch, i, mapping, isBack ? FlowMarks.Hairpin : FlowMarks.None);
        }
    }

    private static void LetIn<TTracing>(WorkerContext context, PacketBatch batch, int i, int mapping, FlowMarks marks)
        where TTracing : struct, ITracing
    {
        ref readonly PortMapping mapped = ref context.Flows.Mappings![mapping];
        if (context.Tables.FateOf(mapped.Slot, mapped.Generation) != BackendFate.Stay)
        {
            return;
        }

        NatSpec spec = context.Tables.Nat.SpecOf(mapped.Slot);
        bool isLetIn = spec.Filtering switch
        {
            NatFiltering.EndpointIndependent => true,
            NatFiltering.AddressDependent => context.Flows.Mappings.HasSentTo(mapping, batch.Parsed[i].Key.Source),
            _ => false,
        };
        if (spec.Nat64 is { } prefix && !EmbeddedAddress.MayEmbed(prefix, batch.Parsed[i].Key.Source))
        {
            batch.Drop(i, DropReason.Nat64Address);
            return;
        }

        int slot = mapped.Slot, flow = -1;
        DropReason reason = DropReason.NatFiltered;
        if (TTracing.IsOn)
        {
            context.Trace!.Add(batch, "nat", isLetIn ? "let_in" : "nat_filtered", $"{mapped.Outside} port {mapped.OutsidePort} is mapped to {mapped.Inside} port {mapped.InsidePort}; "
                + $"filtering {SpecNames.NatFilterings.NameOf(spec.Filtering)} {(isLetIn ? "lets the sender in" : "keeps the sender out: the inside has not sent to it from that port")}",
                ("inside", mapped.Inside.ToString()), ("inside_port", (int)mapped.InsidePort), ("filtering", SpecNames.NatFilterings.NameOf(spec.Filtering)));
        }

        if (isLetIn)
        {
            flow = MappedFlows.CreateInward(context, in batch.Parsed[i], mapping, marks, out reason);
        }

        Assign<TTracing>(context, batch, i, flow, reason, slot);
    }

    /// <summary>Gives a packet the flow it has begun.</summary>
    internal static void Assign<TTracing>(WorkerContext context, PacketBatch batch, int i, int flow, DropReason reason, int slot)
        where TTracing : struct, ITracing
    {
        if (flow < 0)
        {
            batch.Drop(i, reason);
            return;
        }

        batch.Flows[i] = flow;
        ConnectionFlows.Begin(context, batch, i, flow);
        FlowStage.RememberFilter(context, batch, i, ref context.Flows[flow]);
        if (!TTracing.IsOn)
        {
            NatStage.Count(ref context.Tables.BackendCounters[slot].Counts, batch.Lengths[i]);
        }
    }

    /// <summary>Translates a packet to the sender's mapped port, and has it go through the stages once more as what it is then.</summary>
    private static void TurnRound<TTracing>(WorkerContext context, PacketBatch batch, int i, int flow)
        where TTracing : struct, ITracing
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Ttl <= 1)
        {
            // Behind the translation the sender would not be found any more.
            IcmpErrors.SendTimeExceeded(context, batch, i);
            batch.Drop(i, DropReason.TtlExpired);
            return;
        }

        if (context.Flows[flow].ChangesFamily)
        {
            FamilyTranslation.Translate(context, batch, i, in context.Flows[flow], takeTtl: false);
        }
        else
        {
            RewriteStage.Translate(batch.Frame(i)[headers.NetworkOffset..headers.EndOffset], in headers, in context.Flows[flow]);
        }

        Hold<TTracing>(context, batch, i);
    }

    private static void Hold<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        context.Hairpins.Note(i);
        batch.Hold(i, HoldReason.Hairpin);
        if (TTracing.IsOn)
        {
            string source = batch.Flows[i] >= 0 ? $"{context.Flows[batch.Flows[i]].NewSource} port {context.Flows[batch.Flows[i]].NewPorts >> 16}" : batch.Parsed[i].Key.Source.ToString();
            context.Trace!.Add(batch, "nat", "hairpin", $"for another inside host by its outside address: comes from {source} now, and is judged as what comes from outside",
                ("new_source", source));
        }
    }
}
