using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Switching;
using Dataplane.Telemetry;

namespace Dataplane.Nat64;

/// <summary>Gives the first packet of a flow from an IPv6 host to an IPv4 address behind the prefix of a rule its flow (RFC 6146 3.5).</summary>
/// <remarks>
/// Input: undecided IPv6 packets without a flow. Output: a flow for TCP, UDP and echo requests that a rule covers. Drops: protocols without ports, IPv4 addresses that may not stand behind
/// the prefix, no route, full table, no free port. State: flow table and mapped ports. Cost: nothing without such rules; else for IPv6 packets without a flow a compare of the prefix
/// for each rule. Services go first. It stands before the routing, because it is the IPv4 address that is routed; the packet stays an IPv6 one until it leaves, so whatever becomes of it
/// before, and who is told, is as with any IPv6 packet.
/// </remarks>
internal static class Nat64Stage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        NatTable nat = context.Tables.Nat;
        if (!nat.HasNat64)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] == Verdict.Continue && batch.Flows[i] < 0 && batch.Parsed[i].Headers.IpVersion == 6
                && (batch.Marks[i] & (PacketMarks.LocalOrigin | PacketMarks.AboutFlow)) == 0
                && nat.FindNat64(PortOf(context, batch, i), in batch.Parsed[i].Key) is { } rule)
            {
                Begin<TTracing>(context, batch, i, rule);
            }
        }
    }

    private static ushort PortOf(WorkerContext context, PacketBatch batch, int i) =>
        batch.InInterfaces[i] is >= 0 and short came ? context.Tables.Interfaces[came].Port : batch.Port.Value;

    [MethodImpl(MethodImplOptions.NoInlining)] // Once per flow.
    private static void Begin<TTracing>(WorkerContext context, PacketBatch batch, int i, NatRule rule)
        where TTracing : struct, ITracing
    {
        IpAddress remote = rule.RemoteOf(batch.Parsed[i].Key.Destination);
        DropReason reason = WhyNot(context, batch, i, rule, remote);
        if (reason != DropReason.None)
        {
            batch.Drop(i, reason);
        }
        else if (!FlowStage.TryJoin<TTracing>(context, batch, i))
        {
            RouteEntry? route = context.Tables.Lookup(remote);
            if (route?.Kind == RouteKind.Local)
            {
                EnterLocal<TTracing>(context, batch, i, rule, remote);
            }
            else if (WayTo(context.Tables, route, remote, batch.Parsed[i].Hash) is not { } way)
            {
                RouteStage.Refuse(context, batch, i, route?.Kind);
            }
            else if (context.Tables.Nat.FindNat64(PortOf(context, batch, i), in batch.Parsed[i].Key, way) is { } leaving)
            {
                Create<TTracing>(context, batch, i, leaving, remote, FlowMarks.None);
            }
        }

        if (TTracing.IsOn)
        {
            Explain(context, batch, i, rule, remote);
        }
    }

    /// <summary>Why a packet behind a prefix cannot be translated, whatever flows there are; the sender is told where there is something to tell.</summary>
    private static DropReason WhyNot(WorkerContext context, PacketBatch batch, int i, NatRule rule, IpAddress remote)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.IsSourceRouted)
        {
            IcmpErrors.SendRoutingNotTranslated(context, batch, i);
            return DropReason.NatUnsupported;
        }

        return !EmbeddedAddress.MayEmbed(rule.Nat64!.Value, remote) ? DropReason.Nat64Address
            : NatStage.CanBegin(batch, i) ? DropReason.None
            : DropReason.NatUnsupported;
    }

    /// <summary>The interface that a packet leaves by as one of the other family, or null.</summary>
    public static short? WayTo(ForwardingTables tables, RouteEntry? route, IpAddress destination, uint hash) => route?.Kind switch
    {
        RouteKind.Forward => tables.NextHops[route.Select(hash)].Interface.Index,
        RouteKind.Network => tables.Bridges.Find(destination) is Station station ? station.Interface.Index : null,
        _ => null,
    };

    /// <summary>To an address of the gateway itself: there are only other inside hosts behind mapped ports (RFC 6146 3.8).</summary>
    private static void EnterLocal<TTracing>(WorkerContext context, PacketBatch batch, int i, NatRule rule, IpAddress remote)
        where TTracing : struct, ITracing
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        bool isMapped = rule.IsMapped && context.Tables.Nat.IsMapped(remote) && key.Protocol is IpProtocols.Tcp or IpProtocols.Udp
            && (context.Flows.Mappings!.FindOutside(remote, key.DestinationPort, key.Protocol) >= 0 || context.Share.OwnerOfPort(key.DestinationPort) != context.Share.Index);
        if (isMapped)
        {
            Create<TTracing>(context, batch, i, rule, remote, FlowMarks.Hairpin);
            return;
        }

        IcmpErrors.SendUnreachable(context, batch, i);
        batch.Drop(i, DropReason.LocalUnreachable);
    }

    private static void Create<TTracing>(WorkerContext context, PacketBatch batch, int i, NatRule rule, IpAddress remote, FlowMarks marks)
        where TTracing : struct, ITracing
    {
        BackendRuntime address = rule.AddressFor(batch.Parsed[i].Key.Source);
        int flow = rule.IsMapped
            ? MappedFlows.CreateOutward(context, in batch.Parsed[i], rule, marks, out DropReason reason)
            : SourceNatFlows.Create(context, in batch.Parsed[i], remote, address, out reason);
        MappingStage.Assign<TTracing>(context, batch, i, flow, reason, address.Slot);
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, NatRule rule, IpAddress remote)
    {
        string name = $"{rule.Spec.Inside} to {rule.Spec.Outside}", prefix = rule.Nat64!.Value.ToString();
        if (batch.Verdicts[i] == Verdict.Drop)
        {
            context.Trace!.Add(batch, "nat", batch.Reasons[i].ToName(), $"{remote} behind {prefix}: from {name} such packets leave as IPv4, and this one cannot",
                ("rule", name), ("prefix", prefix), ("remote", remote.ToString()));
        }
        else if (batch.Flows[i] >= 0)
        {
            ref readonly FlowEntry entry = ref context.Flows[batch.Flows[i]];
            context.Trace!.Add(batch, "nat", "translated", $"{remote} behind {prefix}, from {name}: leaves as IPv4, from {entry.NewSource} port {entry.NewPorts >> 16}",
                ("rule", name), ("prefix", prefix), ("remote", remote.ToString()), ("new_source", entry.NewSource.ToString()), ("new_source_port", (int)(entry.NewPorts >> 16)));
        }
    }
}
