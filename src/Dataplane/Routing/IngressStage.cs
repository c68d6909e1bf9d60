using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Routing;

/// <summary>Finds the interface a packet came by, and drops what must not enter a router.</summary>
/// <remarks>
/// Input: parsed packets. Output: interface; ARP and neighbour discovery are answered and taken out here, before the filter, since a
/// link without them is no link. Drops: other stations' frames, martians, own addresses as sender, broadcast, multicast.
/// State: none. Cost: one 8-byte load of the frame, compares, one bit of a 64-bit set for the own addresses.
/// </remarks>
internal static class IngressStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        ReadOnlySpan<byte> memory = batch.Memory;
        int untagged = tables.InterfaceMap.Find(batch.Port.Value, 0);
        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            ref readonly PacketHeaders headers = ref batch.Headers[i];
            int index = headers.VlanTags > 1 ? -1 // Inner tags would be lost on the way out; there are no interfaces for them.
                : headers.VlanId == 0 ? untagged : tables.InterfaceMap.Find(batch.Port.Value, headers.VlanId);
            batch.InInterfaces[i] = (short)index;
            batch.Flows[i] = -1;
            if (index < 0)
            {
                batch.Drop(i, DropReason.NoInterface);
            }
            else
            {
                Check(context, batch, i, tables.Interfaces[index], memory[batch.Offsets[i]..]);
            }

            if (TTracing.IsOn)
            {
                Explain(context, batch, i, index);
            }
        }
    }

    /// <summary>For packets that passed before and come back: only finds the interface again.</summary>
    public static void Restore(WorkerContext context, PacketBatch batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            int index = context.Tables.InterfaceMap.Find(batch.Port.Value, batch.Headers[i].VlanId);
            batch.InInterfaces[i] = (short)index;
            batch.Flows[i] = -1;
            if (index < 0 && batch.Verdicts[i] == Verdict.Continue && (batch.Marks[i] & PacketMarks.LocalOrigin) == 0)
            {
                batch.Drop(i, DropReason.NoInterface);
            }
        }
    }

    private static void Check(WorkerContext context, PacketBatch batch, int i, L3Interface entry, ReadOnlySpan<byte> frame)
    {
        ref readonly PacketHeaders headers = ref batch.Headers[i];
        ulong target = BinaryPrimitives.ReadUInt64BigEndian(frame) >> 16;
        if (target != entry.Mac.Bits)
        {
            if ((target >> 40 & 1) == 0)
            {
                batch.Drop(i, DropReason.NotForUs);
                return;
            }

            batch.Marks[i] |= PacketMarks.LinkBroadcast;
        }

        if (headers.EtherType == EtherTypes.Arp)
        {
            ArpMessages.Handle(context, batch, i, entry);
            return;
        }

        if (headers.Protocol == IpProtocols.Icmpv6 && NeighbourDiscovery.IsMessage(batch, i))
        {
            NeighbourDiscovery.Handle(context, batch, i, entry);
            return;
        }

        DropReason reason = headers.IpVersion == 4 ? CheckV4(batch, i) : CheckV6(batch, i);
        if (reason == DropReason.None && context.Tables.OwnAddresses.ContainsSource(in batch.Keys[i]))
        {
            reason = DropReason.OwnSource;
        }

        if (reason != DropReason.None)
        {
            batch.Drop(i, reason);
        }
    }

    private static DropReason CheckV4(PacketBatch batch, int i)
    {
        uint source = (uint)batch.Keys[i].SourceLow, destination = (uint)batch.Keys[i].DestinationLow;
        if (AddressClasses.IsMartianSourceV4(source))
        {
            return DropReason.MartianSource;
        }

        if (destination == uint.MaxValue)
        {
            return DropReason.Broadcast;
        }

        if (AddressClasses.IsMulticastV4(destination))
        {
            return DropReason.Multicast;
        }

        if (AddressClasses.IsMartianDestinationV4(destination))
        {
            return DropReason.MartianDestination;
        }

        // A unicast packet in a broadcast frame is silently dropped (RFC 1122 3.3.6, RFC 1812 5.3.4).
        return (batch.Marks[i] & PacketMarks.LinkBroadcast) != 0 ? DropReason.Broadcast : DropReason.None;
    }

    private static DropReason CheckV6(PacketBatch batch, int i)
    {
        ref readonly FlowKey key = ref batch.Keys[i];
        if (AddressClasses.IsMartianSourceV6(key.SourceHigh, key.SourceLow))
        {
            return DropReason.MartianSource;
        }

        if (AddressClasses.IsMulticastV6(key.DestinationHigh))
        {
            return DropReason.Multicast;
        }

        if (AddressClasses.IsNeverOnWire(key.DestinationHigh, key.DestinationLow))
        {
            return DropReason.MartianDestination;
        }

        return (batch.Marks[i] & PacketMarks.LinkBroadcast) != 0 ? DropReason.Broadcast : DropReason.None;
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, int index)
    {
        string name = index < 0 ? "none" : context.Tables.Interfaces[index].ToString();
        Verdict verdict = batch.Verdicts[i];
        string outcome = verdict == Verdict.Continue ? "accepted" : verdict == Verdict.Drop ? batch.Reasons[i].ToName() : "answered";
        context.Trace!.Add(batch, "ingress", outcome, $"came by interface {name}", ("interface", name), ("tables_version", context.Tables.Version));
    }
}
