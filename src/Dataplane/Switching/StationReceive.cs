using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Switching;

/// <summary>What is about to leave for an endpoint: counted, and held to its rate.</summary>
internal static class StationReceive
{
    /// <summary>Gives the packets that the endpoint may have now; the others are dropped.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="packets">Numbers of the packets for the endpoint.</param>
    /// <param name="station">The endpoint.</param>
    /// <param name="room">Room for as many numbers.</param>
    public static ReadOnlySpan<short> Admit(PacketBatch batch, ReadOnlySpan<short> packets, Station station, Span<short> room)
    {
        StationCounters counters = station.Counters;
        int count = 0;
        long bytes = 0;
        foreach (short packet in packets)
        {
            int length = batch.Lengths[packet];
            if (station.ReceiveLimit is { } limit && !limit.TryTake(batch.NowNs, length))
            {
                batch.Drop(packet, DropReason.RateLimited);
                continue;
            }

            bytes += length;
            room[count++] = packet;
        }

        counters.ReceivedFrames += count;
        counters.ReceivedBytes += bytes;
        counters.ReceivedLimited += packets.Length - count;
        return room[..count];
    }
}
