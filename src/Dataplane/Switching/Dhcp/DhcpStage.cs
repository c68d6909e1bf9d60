using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Switching.Dhcp;

/// <summary>Answers endpoints that ask for their addresses by DHCP, of either family, and lets no endpoint answer another.</summary>
/// <remarks>
/// Input: packets of an endpoint's port whose source the guard has looked at. Output: for a client's message a frame of the engine's own; the message is consumed. Drops: messages that make no
/// sense or ask too often, answers from endpoints. State: the endpoint's limit and counters. Cost: for other packets a mask and a compare. It stands before the filter, as ARP does: an
/// endpoint without an address has nothing to be filtered by; and before the flows, which nothing from 0.0.0.0 may reach.
/// </remarks>
internal static class DhcpStage
{
    private const ulong Ports = 0xFFFF_0000_FF00, ToServer = ((ulong)DhcpWire.ServerPort << 32) | (IpProtocols.Udp << 8), ToClient = ((ulong)DhcpWire.ClientPort << 32) | (IpProtocols.Udp << 8);
    private const ulong ToServer6 = ((ulong)Dhcpv6Wire.ServerPort << 32) | (IpProtocols.Udp << 8), ToClient6 = ((ulong)Dhcpv6Wire.ClientPort << 32) | (IpProtocols.Udp << 8);

    /// <summary>All servers and relays of a link: ff02::1:2 (RFC 8415 7.1). No message is to come to an address of ours, as no client is told that it may.</summary>
    private const ulong ServersHigh = 0xFF02_0000_0000_0000, ServersLow = 0x1_0002;

    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (context.Tables.Bridges.OfPort(batch.Port.Value) is not { } station)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            ulong ports = batch.Parsed[i].Key.Transport & Ports;
            if ((ports != ToServer && ports != ToClient && ports != ToServer6 && ports != ToClient6) || batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            DropReason reason = (ports, batch.Parsed[i].Headers.IpVersion) switch
            {
                (ToClient, 4) => Guard(context, in batch.Parsed[i].Key, station),
                (ToServer, 4) => Answer(context, batch, i, station),
                (ToClient6, 6) => Guard6(context, in batch.Parsed[i].Key, station),
                (ToServer6, 6) => Answer6(context, batch, i, station),
                _ => DropReason.None,
            };
            if (reason == DropReason.None)
            {
                continue;
            }

            batch.Drop(i, reason);
            if (TTracing.IsOn)
            {
                context.Trace!.Add(batch, "dhcp", reason.ToName(), $"DHCP message of endpoint {station}", ("endpoint", station.Spec.Name), ("network", station.Network.Spec.Name));
            }
        }
    }

    /// <summary>Whether a packet without a source address may be one, to be answered or dropped here in any case.</summary>
    public static bool IsFromNobody(in FlowKey key, Station station) =>
        key.SourceLow == 0 && (key.Transport & Ports) == ToServer && station.Network.Spec.Dhcp is not null && !station.IsTrunk && station.Peer < 0;

    /// <summary>An answer to a client here. One for a client elsewhere, from a server that is an endpoint, is none of our business.</summary>
    private static DropReason Guard(WorkerContext context, in FlowKey key, Station station)
    {
        uint target = (uint)key.DestinationLow;
        if (AddressClasses.IsUnicastV4(target) && context.Tables.Bridges.Find(key.Destination) is null && !station.Network.IsDirectedBroadcast(target))
        {
            return DropReason.None;
        }

        station.Counters.Rogue++;
        return DropReason.RogueDhcp;
    }

    /// <summary>The same over IPv6, where clients are answered by their link-local addresses.</summary>
    private static DropReason Guard6(WorkerContext context, in FlowKey key, Station station)
    {
        IpAddress target = key.Destination;
        if (!target.IsMulticast && !target.IsLinkLocal && context.Tables.Bridges.Find(target) is null)
        {
            return DropReason.None;
        }

        station.Counters.Rogue++;
        return DropReason.RogueDhcp;
    }

    private static DropReason Answer6(WorkerContext context, PacketBatch batch, int i, Station station)
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        if (station.IsTrunk || station.Peer >= 0 || station.Network.Settings.Offer6 is not { } offer || key.DestinationHigh != ServersHigh || key.DestinationLow != ServersLow)
        {
            return DropReason.None;
        }

        return station.DhcpLimit!.TryTake(context.NowNs) ? Dhcpv6Responder.Respond(context, batch, i, station, offer) : DropReason.RateLimited;
    }

    private static DropReason Answer(WorkerContext context, PacketBatch batch, int i, Station station)
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        uint target = (uint)key.DestinationLow;
        if (station.IsTrunk || station.Network.Spec.Dhcp is null)
        {
            return DropReason.None;
        }

        // A unicast message from an address of its own to another server is for that server.
        if (station.Offer is not { } offer)
        {
            return key.SourceLow == 0 || target == uint.MaxValue ? DropReason.DhcpNoAddress : DropReason.None;
        }

        if (key.SourceLow != 0 && target != uint.MaxValue && target != offer.Server && !station.Network.IsDirectedBroadcast(target))
        {
            return DropReason.None;
        }

        return station.DhcpLimit!.TryTake(context.NowNs) ? DhcpResponder.Respond(context, batch, i, station, offer) : DropReason.RateLimited;
    }
}
