using System.Buffers.Binary;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Telemetry;

namespace Dataplane.Routing;

/// <summary>Chooses the next hop of a packet, or what else becomes of it.</summary>
/// <remarks>
/// Input: packets still undecided, some with a flow. Output: next hop and verdict forward. Drops: no route, refused by a route, TTL
/// used up, too big, broadcast, and what came to the engine itself. State: a flow remembers its next hop and the version of the tables
/// it is from. Cost: nothing for a flow that remembers; else one longest-prefix match, looked up for the whole batch at once so that its cache
/// misses overlap.
/// </remarks>
internal static class RouteStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        RouteEntry?[] entries = tables.Routes.Entries;
        context.RouteLookups.LookUp(context, batch);
        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            int route = batch.Routes[i];
            if (route == RouteLookups.Remembered)
            {
                Forward<TTracing>(context, batch, i, context.Flows[batch.Flows[i]].Path.NextHop);
            }
            else if (Route<TTracing>(context, batch, i, entries[route]))
            {
                // A packet to the engine has become its answer, which is routed in turn; answers are never to ourselves.
                Route<TTracing>(context, batch, i, tables.Lookup(batch.Parsed[i].Key.Destination));
            }
        }
    }

    /// <returns>True when the packet has become another one that must be routed.</returns>
    private static bool Route<TTracing>(WorkerContext context, PacketBatch batch, int i, RouteEntry? route)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        int flow = batch.Flows[i];
        IpAddress destination = RouteLookups.Destination(context, batch, i);
        bool local = (batch.Marks[i] & PacketMarks.LocalOrigin) != 0;
        if (local && destination.IsIpv6 && destination.IsLinkLocal)
        {
            int way = batch.InInterfaces[i];
            if (way < 0)
            {
                batch.Drop(i, DropReason.NoInterface);
                return false;
            }

            Forward<TTracing>(context, batch, i, tables.OnLinkHops[way]);
            return false;
        }

        if (TTracing.IsOn)
        {
            string? prefix = tables.Routes.Table.LongestPrefix(destination)?.ToString();
            context.Trace!.Add(batch, "route", route is null ? "no_route" : route.Kind.ToString().ToLowerInvariant(),
                route is null ? $"no route to {destination}" : $"{destination} matches {prefix ?? "a route that is being changed"}",
                ("destination", destination.ToString()), ("prefix", prefix), ("tables_version", tables.Version));
        }

        switch (route?.Kind)
        {
            case RouteKind.Network when tables.Bridges.Find(destination) is { } station:
                return Choose<TTracing>(context, batch, i, tables.OnLinkHops[station.Interface.Index]);
            case RouteKind.Network:
                IcmpErrors.SendHostUnreachable(context, batch, i);
                batch.Drop(i, DropReason.NoEndpoint);
                return false;
            case RouteKind.Forward:
                return Choose<TTracing>(context, batch, i, route.Select(batch.Parsed[i].Hash));
            case RouteKind.Local when !local && flow < 0:
                return LocalDelivery.Handle<TTracing>(context, batch, i);
            case RouteKind.Local:
                batch.Drop(i, DropReason.LocalUnreachable);
                return false;
            default:
                Refuse(context, batch, i, route?.Kind);
                return false;
        }
    }

    /// <summary>Forwards by a next hop that has just been found, if the packet may go there, and has the flow remember it.</summary>
    /// <returns>False: the packet is decided.</returns>
    private static bool Choose<TTracing>(WorkerContext context, PacketBatch batch, int i, int hop)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        int flow = batch.Flows[i];
        if ((batch.Marks[i] & PacketMarks.LocalOrigin) == 0)
        {
            if (IsBoundToLink(in batch.Parsed[i].Key, out DropReason reason))
            {
                batch.Drop(i, reason);
                return false;
            }

            if (!tables.Bridges.IsEmpty && !IsAllowed(context, batch, i, hop))
            {
                IcmpErrors.SendProhibited(context, batch, i);
                batch.Drop(i, DropReason.NetworkIsolated);
                return false;
            }
        }

        if (flow >= 0)
        {
            ref FlowEntry entry = ref context.Flows[flow];
            (entry.Path.NextHop, entry.Path.TablesVersion, entry.Path.Neighbour) = (hop, tables.Version, -1);
            entry.OuterBytes = tables.OuterOf(in entry)?.Bytes ?? 0;
        }

        Forward<TTracing>(context, batch, i, hop);
        return false;
    }

    /// <summary>Whether the networks on both sides let the packet pass.</summary>
    private static bool IsAllowed(WorkerContext context, PacketBatch batch, int i, int hop)
    {
        ForwardingTables tables = context.Tables;
        bool isTranslated = batch.Flows[i] >= 0 && !context.Flows[batch.Flows[i]].IsPlain;
        Station? from = batch.InInterfaces[i] is >= 0 and short came ? tables.Interfaces[came].Station : null;
        return Bridge.Allows(from, tables.NextHops[hop].Interface.Station, isTranslated || (batch.Marks[i] & PacketMarks.AboutFlow) != 0);
    }

    /// <summary>Drops a packet that no route leads on, and tells its sender.</summary>
    public static void Refuse(WorkerContext context, PacketBatch batch, int i, RouteKind? kind)
    {
        switch (kind)
        {
            case null:
                IcmpErrors.SendNoRoute(context, batch, i);
                batch.Drop(i, DropReason.NoRoute);
                break;
            case RouteKind.Unreachable:
                IcmpErrors.SendUnreachable(context, batch, i);
                batch.Drop(i, DropReason.RouteUnreachable);
                break;
            case RouteKind.Prohibited:
                IcmpErrors.SendProhibited(context, batch, i);
                batch.Drop(i, DropReason.RouteProhibited);
                break;
            default:
                batch.Drop(i, kind == RouteKind.Broadcast ? DropReason.Broadcast : DropReason.RouteBlackhole);
                break;
        }
    }

    private static void Forward<TTracing>(WorkerContext context, PacketBatch batch, int i, int hop)
        where TTracing : struct, ITracing
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Ttl <= 1 && (batch.Marks[i] & PacketMarks.LocalOrigin) == 0)
        {
            IcmpErrors.SendTimeExceeded(context, batch, i);
            batch.Drop(i, DropReason.TtlExpired);
            return;
        }

        int mtu = context.Tables.NextHops[hop].Interface.Mtu - (batch.Flows[i] >= 0 ? context.Flows[batch.Flows[i]].OuterBytes : 0);
        if (batch.Flows[i] >= 0 && context.Flows[batch.Flows[i]].ChangesFamily)
        {
            if (!OtherFamily.MayLeave(context, batch, i, mtu))
            {
                return;
            }
        }
        else if (headers.EndOffset - headers.NetworkOffset > mtu && batch.IsTooLong(i, mtu) && !MayFragment(batch, i) && !OtherFamily.MayBeCut(context.Tables, batch, i))
        {
            // An IPv6 sender that hears of less than every link has to carry sends nothing smaller for it (RFC 8200, 5).
            IcmpErrors.SendTooBig(context, batch, i, headers.IpVersion == 6 ? Math.Max(mtu, SpecLimits.MinIpv6Mtu) : mtu);
            batch.Drop(i, DropReason.PacketTooBig);
            return;
        }

        batch.NextHops[i] = hop;
        batch.Verdicts[i] = Verdict.Forward;
        if (TTracing.IsOn)
        {
            ExplainNextHop(context, batch, i, context.Tables.NextHops[hop]);
        }
    }

    /// <summary>Says which next hop was chosen.</summary>
    public static void ExplainNextHop(WorkerContext context, PacketBatch batch, int i, NextHop hop) =>
        context.Trace!.Add(batch, "next_hop", "chosen", $"next hop {hop} by hash {batch.Parsed[i].Hash:x8}",
            ("next_hop", hop.ToString()), ("port", hop.Interface.PortName), ("hash", batch.Parsed[i].Hash));

    /// <summary>IPv4 without "do not fragment"; IPv6 is fragmented by its sender only (RFC 8200 5), and datagrams of a super-frame by nobody.</summary>
    private static bool MayFragment(PacketBatch batch, int i) =>
        batch.Parsed[i].Headers.IpVersion == 4 && ((batch.Marks[i] & PacketMarks.SuperFrame) == 0 || batch.Parsed[i].Headers.Protocol == IpProtocols.Tcp)
        && (BinaryPrimitives.ReadUInt16BigEndian(batch.Frame(i)[(batch.Parsed[i].Headers.NetworkOffset + 6)..]) & 0x4000) == 0;

    private static bool IsBoundToLink(in FlowKey key, out DropReason reason)
    {
        bool isV4 = key.Family == 4;
        bool source = isV4 ? AddressClasses.IsLinkLocalV4((uint)key.SourceLow) : AddressClasses.IsLinkLocalV6(key.SourceHigh);
        bool destination = isV4 ? AddressClasses.IsLinkLocalV4((uint)key.DestinationLow) : AddressClasses.IsLinkLocalV6(key.DestinationHigh);
        reason = source ? DropReason.MartianSource : DropReason.MartianDestination;
        return source || destination;
    }
}
