using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Dataplane.Filtering;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Routing;

/// <summary>Finds the interface a packet came by, and drops what must not enter a router.</summary>
/// <remarks>
/// Input: parsed packets. Output: interface; ARP and neighbour discovery are answered and taken out here, before the filter, since a
/// link without them is no link. Drops: other stations' frames, martians, own addresses as sender, broadcast, multicast.
/// State: none. Cost: one 8-byte load of the frame, three range checks, one bit of a set for the own addresses; the exact tests only for
/// what fails these.
/// </remarks>
internal static class IngressStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        ReadOnlySpan<byte> memory = batch.Memory;
        int count = batch.Count;
        Span<Verdict> verdicts = batch.Verdicts[..count];
        ref PacketLane<int> offsets = ref batch.Offsets;
        MappedArray<ParsedFrame> parsed = batch.Parsed;
        short[] interfaces = batch.InInterfaces;
        int untagged = tables.InterfaceMap.Find(batch.Port.Value, 0);
        ulong mac = untagged < 0 ? ulong.MaxValue : tables.Interfaces[untagged].Mac.Bits;

        // What comes from an endpoint comes under its own address: that has been seen to.
        OwnAddresses own = untagged >= 0 && tables.Interfaces[untagged].Station is not null ? OwnAddresses.None : tables.OwnAddresses;
        for (int i = 0; i < verdicts.Length; i++)
        {
            if (verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            ref ParsedFrame frame = ref parsed[i];
            ulong target = BinaryPrimitives.ReadUInt64BigEndian(memory[offsets[i]..]) >> 16;
            if (target == mac && (frame.Headers.VlanTags | frame.Headers.VlanId) == 0 && IsPlain(in frame.Headers, in frame.Key, own))
            {
                interfaces[i] = (short)untagged;
            }
            else
            {
                Check(context, batch, i, target, untagged);
            }

            if (TTracing.IsOn)
            {
                Explain(context, batch, i, interfaces[i]);
            }
        }
    }

    /// <summary>A packet between two unicast addresses of others that is no business of the link itself: what nearly all are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet, and most of its cost would be the call.
    private static bool IsPlain(in PacketHeaders headers, in FlowKey key, OwnAddresses own)
    {
        bool unicast = headers.IpVersion == 4
            ? AddressClasses.IsUnicastV4((uint)key.SourceLow) && AddressClasses.IsUnicastV4((uint)key.DestinationLow)
            : headers.IpVersion == 6 && headers.Protocol != IpProtocols.Icmpv6
                && AddressClasses.IsUnicastV6(key.SourceHigh) && AddressClasses.IsUnicastV6(key.DestinationHigh);
        return unicast && !own.MayContain(key.SourceHigh, key.SourceLow);
    }

    /// <summary>For packets that passed before and come back: only finds the interface again.</summary>
    public static void Restore(WorkerContext context, PacketBatch batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            int index = context.Tables.InterfaceMap.Find(batch.Port.Value, batch.Parsed[i].Headers.VlanId);
            batch.InInterfaces[i] = (short)index;
            batch.FilterRules[i] = FilterProgram.Unknown;
            (batch.States[i], batch.StateReasons[i]) = (ConnectionStates.None, StateReason.None);
            if (index >= 0 && (batch.Marks[i] & PacketMarks.Switched) != 0 && !TrySwitch(context, batch, i, context.Tables.Interfaces[index]))
            {
                continue;
            }

            if (index < 0 && batch.Verdicts[i] == Verdict.Continue && (batch.Marks[i] & PacketMarks.LocalOrigin) == 0)
            {
                batch.Drop(i, DropReason.NoInterface);
            }
        }
    }

    /// <summary>Learns from messages that neighbours sent to a port of another worker, which has found them to be for us and answers them.</summary>
    /// <remarks>Every worker asks for the neighbours it needs itself, and an answer comes to the worker of the port: so all see all.</remarks>
    public static void Overhear(WorkerContext context, PacketBatch batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
            int index = batch.Verdicts[i] == Verdict.Continue ? context.Tables.InterfaceMap.Find(batch.Port.Value, headers.VlanId) : -1;
            if (index < 0 || context.Tables.Interfaces[index].Station is not null)
            {
                continue;
            }

            if (headers.EtherType == EtherTypes.Arp)
            {
                ArpMessages.Handle(context, batch, i, context.Tables.Interfaces[index]);
            }
            else if (headers.Protocol == IpProtocols.Icmpv6 && NeighbourDiscovery.IsMessage(batch, i))
            {
                NeighbourDiscovery.Handle(context, batch, i, context.Tables.Interfaces[index]);
            }
        }

        // The answers are the other's to give.
        context.Originated.Clear(context.NowNs);
    }

    /// <summary>The exact tests, in order; each failure with its reason.</summary>
    private static void Check(WorkerContext context, PacketBatch batch, int i, ulong target, int untagged)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ForwardingTables tables = context.Tables;
        int index = headers.VlanTags > 1 ? -1 // Inner tags would be lost on the way out; there are no interfaces for them.
            : headers.VlanId == 0 ? untagged : tables.InterfaceMap.Find(batch.Port.Value, headers.VlanId);
        batch.InInterfaces[i] = (short)index;
        if (index < 0)
        {
            batch.Drop(i, DropReason.NoInterface);
            return;
        }

        L3Interface entry = tables.Interfaces[index];
        if (target != entry.Mac.Bits)
        {
            if ((target >> 40 & 1) != 0)
            {
                batch.Marks[i] |= PacketMarks.LinkBroadcast;
            }
            else if (entry.Station is null)
            {
                batch.Drop(i, DropReason.NotForUs);
                return;
            }
        }

        if (entry.Station is { } station)
        {
            CheckStation(context, batch, i, target, station);
            return;
        }

        if (headers.EtherType == EtherTypes.Arp)
        {
            context.Links?.Tell(batch.Frame(i), batch.Port.Value);
            ArpMessages.Handle(context, batch, i, entry);
            return;
        }

        if (headers.Protocol == IpProtocols.Icmpv6 && NeighbourDiscovery.IsMessage(batch, i))
        {
            context.Links?.Tell(batch.Frame(i), batch.Port.Value);
            NeighbourDiscovery.Handle(context, batch, i, entry);
            return;
        }

        DropReason reason = headers.IpVersion == 4 ? CheckV4(batch, i) : CheckV6(batch, i);
        if (reason == DropReason.None && context.Tables.OwnAddresses.ContainsSource(in batch.Parsed[i].Key))
        {
            reason = DropReason.OwnSource;
        }
        else if (reason == DropReason.None && !tables.Bridges.IsEmpty && tables.Bridges.Find(batch.Parsed[i].Key.Source) is not null)
        {
            // An endpoint's address on a link where the endpoint is not.
            reason = DropReason.SpoofedAddress;
        }

        if (reason != DropReason.None)
        {
            batch.Drop(i, reason);
        }
    }

    /// <summary>The same for an endpoint, whose source address has been looked at: to the gateway, to another endpoint, or to nobody.</summary>
    private static void CheckStation(WorkerContext context, PacketBatch batch, int i, ulong target, Station station)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        L3Interface entry = station.Interface;
        if (station.IsTrunk && (headers.EtherType == EtherTypes.Arp || headers.Protocol == IpProtocols.Icmpv6))
        {
            // A gateway elsewhere asks nothing: it knows what this one knows.
            ulong sender = BinaryPrimitives.ReadUInt64BigEndian(batch.Memory[(batch.Offsets[i] + 4)..]) & 0xFFFF_FFFF_FFFF;
            if (context.Tables.Bridges.Find(station.Network, sender) is { } remote)
            {
                station = remote;
            }
        }

        if (headers.EtherType == EtherTypes.Arp)
        {
            StationArp.Handle(context, batch, i, station);
            return;
        }

        if (headers.Protocol == IpProtocols.Icmpv6 && NeighbourDiscovery.IsMessage(batch, i))
        {
            StationDiscovery.Handle(context, batch, i, station);
            return;
        }

        DropReason reason = headers.IpVersion == 4 ? CheckV4(batch, i) : CheckV6(batch, i);
        if (reason != DropReason.None)
        {
            batch.Drop(i, reason);
        }
        else if (target != station.Network.Mac)
        {
            TrySwitch(context, batch, i, entry);
        }
    }

    /// <summary>Finds the endpoint that a frame is for; drops the frame when there is none.</summary>
    private static bool TrySwitch(WorkerContext context, PacketBatch batch, int i, L3Interface entry)
    {
        ulong target = BinaryPrimitives.ReadUInt64BigEndian(batch.Memory[batch.Offsets[i]..]) >> 16;
        Station? other = entry.Station is { } station ? context.Tables.Bridges.Find(station.Network, target) : null;
        if (other is null || ReferenceEquals(other.Interface, entry))
        {
            batch.Drop(i, DropReason.UnknownStation);
            return false;
        }

        batch.Marks[i] |= PacketMarks.Switched;
        batch.NextHops[i] = context.Tables.OnLinkHops[other.Interface.Index];
        return true;
    }

    private static DropReason CheckV4(PacketBatch batch, int i)
    {
        uint source = (uint)batch.Parsed[i].Key.SourceLow, destination = (uint)batch.Parsed[i].Key.DestinationLow;
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
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
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

    /// <summary>Says by which interface the packet came.</summary>
    public static void Explain(WorkerContext context, PacketBatch batch, int i, int index)
    {
        string name = index < 0 ? "none" : context.Tables.Interfaces[index].ToString();
        Verdict verdict = batch.Verdicts[i];
        string outcome = verdict == Verdict.Continue ? "accepted" : verdict == Verdict.Drop ? batch.Reasons[i].ToName() : "answered";
        context.Trace!.Add(batch, "ingress", outcome, $"came by interface {name}", ("interface", name), ("tables_version", context.Tables.Version));
    }
}
