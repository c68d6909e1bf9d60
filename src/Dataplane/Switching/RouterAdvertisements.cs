using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;

namespace Dataplane.Switching;

/// <summary>Tells endpoints of their router (RFC 4861 6.2).</summary>
/// <remarks>Each endpoint is alone with the engine on its link, so one that asks is answered at once: the delay of RFC 4861 6.2.6 is there to keep several routers apart.</remarks>
internal static class RouterAdvertisements
{
    private const int Ipv6Header = 40, SolicitationBytes = 8;

    /// <summary>Router lifetime (RFC 4861 4.2).</summary>
    private const int LifetimeOffset = 6;
    private const byte SourceLinkAddress = 1;

    /// <summary>How many are sent in one round at most: the others are due in the next, a tenth of a second later.</summary>
    private const int PerTick = 64;

    private static IpAddress AllNodes => IpAddress.FromV6(0xFF02_0000_0000_0000, 1);

    /// <summary>Sends what is due on the ports of a worker.</summary>
    public static void Tick(WorkerContext context, ReadOnlySpan<ushort> ports)
    {
        BridgeTable bridges = context.Tables.Bridges;
        if (!bridges.Advertises)
        {
            return;
        }

        int sent = 0;
        for (int i = 0; i < ports.Length && sent < PerTick; i++)
        {
            if (bridges.OfPort(ports[i]) is { Advertisements: { } timer } station && timer.TryTake(context.NowNs))
            {
                Send(context, station, AllNodes);
                sent++;
            }
        }
    }

    /// <summary>Tells the endpoints of a worker's ports that are told of their router no more that it is one no more (RFC 4861 6.2.5), as many as there is room for.</summary>
    /// <param name="context">The worker, with the tables that still hold.</param>
    /// <param name="ports">Its ports.</param>
    /// <param name="from">The first of them to look at.</param>
    /// <param name="next">The networks that will be; none when the engine ends.</param>
    /// <returns>The first port that has not been looked at.</returns>
    public static int Cease(WorkerContext context, ReadOnlySpan<ushort> ports, int from, BridgeTable next)
    {
        BridgeTable bridges = context.Tables.Bridges;
        int at = from;
        for (int sent = 0; at < ports.Length && sent < PerTick; at++)
        {
            if (bridges.OfPort(ports[at]) is { Advertisements: not null } station && IsRouter(station) && !GoesOn(next.OfPort(ports[at]), station))
            {
                Send(context, station, AllNodes, isLast: true);
                sent++;
            }
        }

        return at;
    }

    /// <summary>Answers a solicitation whose hop limit, code and checksum are right.</summary>
    public static DropReason Solicited(WorkerContext context, in FlowKey key, ReadOnlySpan<byte> message, Station station)
    {
        if (message.Length < SolicitationBytes || !NeighbourDiscovery.TryReadOption(message[SolicitationBytes..], SourceLinkAddress, out ulong mac)
            || (key.Source.IsUnspecified && mac != 0))
        {
            return DropReason.BadNeighbourMessage;
        }

        if (mac != 0 && mac != station.Mac)
        {
            return DropReason.SpoofedNeighbour;
        }

        if (station.Advertisements is not { } timer)
        {
            return DropReason.NeighbourNotForUs;
        }

        if (!timer.Solicited.TryTake(context.NowNs))
        {
            return DropReason.RateLimited;
        }

        Send(context, station, key.Source.IsUnspecified ? AllNodes : key.Source);
        return DropReason.ConsumedNeighbourDiscovery;
    }

    /// <summary>Whether it is advertised as default router; a last word about another would say nothing new.</summary>
    private static bool IsRouter(Station station) => station.Network.Settings.Advertisement.AsSpan(LifetimeOffset, sizeof(ushort)).ContainsAnyExcept((byte)0);

    /// <summary>Whether an endpoint goes on hearing of the same router.</summary>
    private static bool GoesOn(Station? next, Station station) => next is { Advertisements: not null } && next.Network.Mac == station.Network.Mac;

    private static void Send(WorkerContext context, Station station, IpAddress to, bool isLast = false)
    {
        byte[] message = station.Network.Settings.Advertisement!;
        L3Interface entry = station.Interface;
        int link = entry.LinkHeaderBytes;
        int index = context.Originated.Add(link + Ipv6Header + message.Length);
        if (index < 0)
        {
            return;
        }

        PacketBatch batch = context.Originated.Batch;
        Span<byte> frame = batch.Frame(index);
        LinkHeader.Write(frame, to.IsMulticast ? MacAddress.ForIpv6Multicast(to).Bits : station.Mac, entry, EtherTypes.Ipv6);
        Ipv6Writer.WriteHeader(frame[link..], entry.LinkLocal, to, IpProtocols.Icmpv6, 255, message.Length);
        Span<byte> body = frame[(link + Ipv6Header)..];
        message.CopyTo(body);
        if (isLast)
        {
            body.Slice(LifetimeOffset, sizeof(ushort)).Clear();
        }

        ushort checksum = InternetChecksum.Compute(body, InternetChecksum.PseudoHeader(entry.LinkLocal, to, IpProtocols.Icmpv6, (uint)body.Length));
        BinaryPrimitives.WriteUInt16BigEndian(body[2..], checksum);
        batch.Parsed[index].Headers = new PacketHeaders { EtherType = EtherTypes.Ipv6, NetworkOffset = (ushort)link, IpVersion = 6 };
        batch.Transmit(index, new Ports.PortId(entry.Port));
        station.Counters.Advertised++;
    }
}
