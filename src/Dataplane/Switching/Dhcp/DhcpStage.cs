using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Switching.Dhcp;

/// <summary>Answers endpoints that ask for their address by DHCP, and lets no endpoint answer another.</summary>
/// <remarks>
/// Input: packets of an endpoint's port whose source the guard has looked at. Output: for a client's message a frame of the engine's own; the message is consumed. Drops: messages that make no
/// sense or ask too often, answers from endpoints. State: the endpoint's limit and counters. Cost: for other packets a mask and a compare. It stands before the filter, as ARP does: an
/// endpoint without an address has nothing to be filtered by; and before the flows, which nothing from 0.0.0.0 may reach.
/// </remarks>
internal static class DhcpStage
{
    private const ulong Ports = 0xFFFF_0000_FF00, ToServer = ((ulong)DhcpWire.ServerPort << 32) | (IpProtocols.Udp << 8), ToClient = ((ulong)DhcpWire.ClientPort << 32) | (IpProtocols.Udp << 8);

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
            if ((ports != ToServer && ports != ToClient) || batch.Verdicts[i] != Verdict.Continue || batch.Parsed[i].Headers.IpVersion != 4)
            {
                continue;
            }

            DropReason reason = ports == ToClient ? Guard(context, in batch.Parsed[i].Key, station) : Answer(context, batch, i, station);
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
