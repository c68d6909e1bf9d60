using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;

namespace Dataplane.Switching;

/// <summary>Neighbour discovery from endpoints (RFC 4861): answered from what is known and never passed on; whoever poses as a router is not heard (RFC 6105).</summary>
internal static class StationDiscovery
{
    private const byte RouterSolicitation = 133, Solicitation = 135, Advertisement = 136;
    private const byte SourceLinkAddress = 1, TargetLinkAddress = 2;
    private const byte FlagRouter = 0x80, FlagSolicited = 0x40, FlagOverride = 0x20;
    private const int MessageBytes = 24;

    /// <summary>Takes in a message.</summary>
    public static void Handle(WorkerContext context, PacketBatch batch, int i, Station station)
    {
        DropReason reason = Decide(context, batch, i, station);
        if (reason == DropReason.SpoofedNeighbour)
        {
            station.Counters.Spoofed++;
        }
        else if (reason == DropReason.RogueRouter)
        {
            station.Counters.Rogue++;
        }

        batch.Drop(i, reason);
    }

    private static DropReason Decide(WorkerContext context, PacketBatch batch, int i, Station station)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        ReadOnlySpan<byte> message = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        if (headers.Ttl != 255 || message[1] != 0 || headers.Fragment != FragmentKind.None
            || !InternetChecksum.Verify(message, InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Icmpv6, (uint)message.Length)))
        {
            return DropReason.BadNeighbourMessage;
        }

        return message[0] switch
        {
            Solicitation => Solicited(context, in key, message, station),
            Advertisement => Advertised(in key, message, station),
            RouterSolicitation => RouterAdvertisements.Solicited(context, in key, message, station),

            // Router advertisements and redirects come from routers, and the router here is the engine.
            _ => DropReason.RogueRouter,
        };
    }

    private static DropReason Solicited(WorkerContext context, in FlowKey key, ReadOnlySpan<byte> message, Station station)
    {
        if (message.Length < MessageBytes || !NeighbourDiscovery.TryReadOption(message[MessageBytes..], SourceLinkAddress, out ulong mac))
        {
            return DropReason.BadNeighbourMessage;
        }

        IpAddress target = IpAddress.ReadV6(message[8..]);
        bool isProbe = key.Source.IsUnspecified;
        if (target.IsMulticast || (isProbe && mac != 0))
        {
            return DropReason.BadNeighbourMessage;
        }

        if (mac != 0 && mac != station.Mac)
        {
            return DropReason.SpoofedNeighbour;
        }

        ulong answer = StationAnswers.MacOf(context, station, target);
        if (answer == 0)
        {
            return DropReason.NeighbourNotForUs;
        }

        // Whoever checks whether an address is free is answered at all nodes (RFC 4861 7.2.4), since it has none yet.
        IpAddress to = isProbe ? IpAddress.FromV6(0xFF02_0000_0000_0000, 1) : key.Source;
        bool isRouter = station.Interface.Answered.Contains(target);
        byte flags = (byte)((isRouter ? FlagRouter : 0) | (isProbe ? 0 : FlagSolicited) | FlagOverride);
        NeighbourDiscovery.Send(context, station.Interface, isProbe && station.Peer < 0 ? MacAddress.ForIpv6Multicast(to).Bits : station.Mac, target, to, Advertisement, flags, target,
            TargetLinkAddress, answer);
        return DropReason.ConsumedNeighbourDiscovery;
    }

    private static DropReason Advertised(in FlowKey key, ReadOnlySpan<byte> message, Station station)
    {
        if (message.Length < MessageBytes || !NeighbourDiscovery.TryReadOption(message[MessageBytes..], TargetLinkAddress, out ulong mac))
        {
            return DropReason.BadNeighbourMessage;
        }

        IpAddress target = IpAddress.ReadV6(message[8..]);
        bool isGenuine = station.HasV6(target.High, target.Low) && (mac == 0 || mac == station.Mac) && !key.Source.IsUnspecified;
        return isGenuine ? DropReason.ConsumedNeighbourDiscovery : DropReason.SpoofedNeighbour;
    }
}
