using System.Buffers.Binary;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching.Dhcp;
using Dataplane.Telemetry;

namespace Dataplane.Switching;

/// <summary>Lets nothing in from an endpoint that says it is from somebody else.</summary>
/// <remarks>
/// Input: parsed packets of an endpoint's port. Output: those from its hardware address and one of its addresses; what ARP and neighbour discovery messages say of their
/// sender is looked at where they are answered. Drops: spoofed hardware address or address, more than the endpoint's rate. State: the endpoint's counters. Cost: for the ports of endpoints one load of the header
/// line, which the parser has just read, and a compare for each address of the endpoint; for other ports one load per batch. It stands before everything that remembers or
/// decides, the established flows included: a source address behind it is as good as the port.
/// </remarks>
internal static class GuardStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        BridgeTable bridges = context.Tables.Bridges;
        if (bridges.OfPort(batch.Port.Value) is not { } station)
        {
            return;
        }

        if (station.IsTrunk)
        {
            OverlayGuard.Process<TTracing>(context, batch, bridges.OverlayOf(station.Network)!);
        }
        else
        {
            Check<TTracing>(context, batch, station);
        }
    }

    private static void Check<TTracing>(WorkerContext context, PacketBatch batch, Station station)
        where TTracing : struct, ITracing
    {
        ReadOnlySpan<byte> memory = batch.Memory;
        ulong mac = station.Mac;
        RateLimiter? limit = TTracing.IsOn ? null : station.SendLimit;
        long bytes = 0, spoofed = 0, limited = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            bytes += batch.Lengths[i];
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            DropReason reason = (BinaryPrimitives.ReadUInt64BigEndian(memory[(batch.Offsets[i] + 4)..]) & 0xFFFF_FFFF_FFFF) != mac
                ? DropReason.SpoofedMac
                : CheckAddress(in batch.Parsed[i], station);
            if (reason != DropReason.None)
            {
                batch.Drop(i, reason);
                spoofed++;
            }
            else if (limit is not null && batch.Parsed[i].Headers.IpVersion != 0 && !limit.TryTake(batch.NowNs, batch.Lengths[i]))
            {
                // Not ARP: without it the rest would not pass either, and it is answered at once.
                batch.Drop(i, DropReason.RateLimited);
                limited++;
            }

            if (TTracing.IsOn)
            {
                context.Trace!.Add(batch, "guard", reason == DropReason.None ? "genuine" : reason.ToName(),
                    $"came from endpoint {station}", ("endpoint", station.Spec.Name), ("network", station.Network.Spec.Name));
            }
        }

        if (!TTracing.IsOn)
        {
            StationCounters counters = station.Counters;
            counters.SentFrames += batch.Count;
            counters.SentBytes += bytes;
            counters.Spoofed += spoofed;
            counters.SentLimited += limited;
        }
    }

    /// <summary>Whether a packet comes from one of the addresses of an endpoint.</summary>
    public static DropReason CheckAddress(in ParsedFrame parsed, Station station)
    {
        ref readonly FlowKey key = ref parsed.Key;
        bool isGenuine = parsed.Headers.IpVersion switch
        {
            4 => station.HasV4((uint)key.SourceLow) || DhcpStage.IsFromNobody(in key, station),

            // Without an address yet: duplicate address detection and what else is said before (RFC 4861 4.3, RFC 3810 5.2.13).
            6 => station.HasV6(key.SourceHigh, key.SourceLow) || ((key.SourceHigh | key.SourceLow) == 0 && key.Protocol == IpProtocols.Icmpv6),
            _ => true,
        };
        return isGenuine ? DropReason.None : DropReason.SpoofedAddress;
    }
}
