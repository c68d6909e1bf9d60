using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Nat;

/// <summary>Makes the two entries of a flow that uses a mapped port.</summary>
internal static class MappedFlows
{
    /// <summary>Makes a flow that the inside begins, and its mapping if the inside address and port have none.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="packet">The first packet: TCP, UDP or an echo request.</param>
    /// <param name="rule">The rule that covers it.</param>
    /// <param name="marks">More marks of the flow.</param>
    /// <param name="reason">Why it could not be made.</param>
    /// <returns>Index of the entry of this direction, or -1.</returns>
    public static int CreateOutward(WorkerContext context, in ParsedFrame packet, NatRule rule, FlowMarks marks, out DropReason reason)
    {
        ref readonly FlowKey key = ref packet.Key;
        BackendRuntime address = rule.AddressFor(key.Source);
        PortMappings mappings = context.Flows.Mappings!;
        int mapping = mappings.FindInside(key.Source, key.SourcePort, key.Protocol, address.Slot, address.Generation);
        if (mapping < 0 && (mapping = Map(context, mappings, in key, address, out reason)) < 0)
        {
            return -1;
        }

        ushort port = mappings[mapping].OutsidePort, remotePort = key.Protocol is IpProtocols.Tcp or IpProtocols.Udp ? key.DestinationPort : port;
        IpAddress remote = rule.RemoteOf(key.Destination);
        var back = FlowKey.Create(remote, remotePort, address.Address, port, OtherFamily.ProtocolOf(key.Protocol, (byte)remote.Family));
        byte flags = packet.Headers.TcpFlags;
        FlowEntry outward = NatFlows.OneWay(in key, flags, address.Address, port, remote, remotePort, address.Slot, address.Generation);
        FlowEntry inward = NatFlows.OneWay(in back, flags, key.Destination, key.DestinationPort, key.Source, key.SourcePort, address.Slot, address.Generation);
        int index = Insert(context, mapping, ref outward, ref inward, marks | MarksOf(rule.Spec), out reason);
        if (index >= 0)
        {
            mappings.NoteSent(in context.Flows.Inward(index));
        }

        return index;
    }

    /// <summary>Makes a flow that the outside begins, to a mapped port whose filter lets it in.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="packet">The first packet: TCP or UDP.</param>
    /// <param name="mapping">Number of the mapping.</param>
    /// <param name="marks">More marks of the flow.</param>
    /// <param name="reason">Why it could not be made.</param>
    /// <returns>Index of the entry of this direction, or -1.</returns>
    public static int CreateInward(WorkerContext context, in ParsedFrame packet, int mapping, FlowMarks marks, out DropReason reason)
    {
        ref readonly FlowKey key = ref packet.Key;
        PortMapping mapped = context.Flows.Mappings![mapping];
        IpAddress remote = context.Tables.Nat.SpecOf(mapped.Slot).Nat64 is { } prefix ? EmbeddedAddress.Embed(prefix, key.Source) : key.Source;
        var back = FlowKey.Create(mapped.Inside, mapped.InsidePort, remote, key.SourcePort, key.Protocol);
        byte flags = packet.Headers.TcpFlags;
        FlowEntry inward = NatFlows.OneWay(in key, flags, remote, key.SourcePort, mapped.Inside, mapped.InsidePort, mapped.Slot, mapped.Generation);
        FlowEntry outward = NatFlows.OneWay(in back, flags, key.Destination, key.DestinationPort, key.Source, key.SourcePort, mapped.Slot, mapped.Generation);
        marks |= FlowMarks.FromOutside | MarksOf(context.Tables.Nat.SpecOf(mapped.Slot));
        int index = Insert(context, mapping, ref inward, ref outward, marks, out reason);
        if (index >= 0)
        {
            // It is as old as what the inside has sent last: who sends to a mapping does not keep it alive.
            context.Flows[context.Flows[index].Peer].LastSeen = mapped.LastSent;
        }

        return index;
    }

    /// <summary>Puts in a flow that was made elsewhere, with its mapping.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="forward">Direction of the first packet; hash, marks, slot and generation set.</param>
    /// <param name="reverse">The other direction.</param>
    /// <returns>Index of the entry of the first direction; -1 when there is no room, or either end of the mapping is another's.</returns>
    public static int Adopt(WorkerContext context, in FlowEntry forward, in FlowEntry reverse)
    {
        FlowEntry inward = (forward.Marks & FlowMarks.FromOutside) != 0 ? forward : reverse;
        int mapping = !context.Tables.Nat.IsMapped(inward.Key.Destination) || context.Flows.Mappings is null ? -1 : AdoptMapping(context, in inward);
        if (mapping < 0)
        {
            return -1;
        }

        PortMappings mappings = context.Flows.Mappings!;
        mappings.Hold(mapping);
        int index = context.Flows.InsertPair(in forward, in reverse, context.NowNs);
        if (index < 0)
        {
            mappings.LetGo(mapping);
        }
        else if (PortMappings.HasSent(in inward))
        {
            mappings.NoteSent(in inward);
        }

        return index;
    }

    /// <summary>Copies the mappings that a packet of a key may be decided by, without the flows that use them.</summary>
    public static void CopyMappings(WorkerContext from, WorkerContext to, in FlowKey key)
    {
        if (from.Flows.Mappings is not { } mappings)
        {
            return;
        }

        to.Flows.MapPorts(from.Hash);
        int outside = mappings.FindOutside(key.Destination, key.DestinationPort, key.Protocol);
        FlowKey sent = key;
        var numbers = from.Tables.Nat.Rules.Where(rule => rule.IsMapped && rule.Covers(sent.Source)).Select(rule => rule.AddressFor(sent.Source))
            .Select(address => mappings.FindInside(sent.Source, sent.SourcePort, sent.Protocol, address.Slot, address.Generation)).Append(outside).Where(number => number >= 0).Distinct();
        foreach (int number in numbers)
        {
            PortMapping mapping = mappings[number];
            int copy = to.Flows.Mappings!.Add(mapping.Inside, mapping.InsidePort, mapping.Outside, mapping.OutsidePort, mapping.Protocol, mapping.Slot, mapping.Generation);
            to.Flows.Mappings.Hold(copy);
            to.Flows.Mappings[copy].LastSent = mapping.LastSent;
            if (number == outside && mappings.HasSentTo(number, key.Source))
            {
                to.Flows.Mappings.NoteSentTo(copy, key.Source);
            }
        }
    }

    /// <summary>For explain: whether the mapped port that a packet is for, copied already, has sent to where the packet comes from now.</summary>
    public static void CopySentTo(WorkerContext from, WorkerContext to, in FlowKey key)
    {
        if (from.Flows.Mappings?.FindOutside(key.Destination, key.DestinationPort, key.Protocol) is >= 0 and int number && from.Flows.Mappings.HasSentTo(number, key.Source)
            && to.Flows.Mappings?.FindOutside(key.Destination, key.DestinationPort, key.Protocol) is >= 0 and int copy)
        {
            to.Flows.Mappings.NoteSentTo(copy, key.Source);
        }
    }

    private static int AdoptMapping(WorkerContext context, in FlowEntry inward)
    {
        PortMappings mappings = context.Flows.Mappings!;
        IpAddress inside = inward.NewDestination, outside = inward.Key.Destination;
        ushort insidePort = (ushort)inward.NewPorts, outsidePort = inward.Key.DestinationPort;
        int fromInside = mappings.FindInside(inside, insidePort, inward.Key.Protocol, inward.Backend, inward.BackendGeneration);
        if (fromInside >= 0 || mappings.FindOutside(outside, outsidePort, inward.Key.Protocol) is var fromOutside && fromOutside >= 0)
        {
            return fromInside >= 0 && mappings[fromInside].OutsidePort == outsidePort && mappings[fromInside].Outside == outside ? fromInside : -1;
        }

        // With another number of workers both ends may be of different ones: then nobody would find both.
        bool isOwn = context.Share.OwnerOfPort(insidePort) == context.Share.Index && context.Share.OwnerOfPort(outsidePort) == context.Share.Index;
        return isOwn ? mappings.Add(inside, insidePort, outside, outsidePort, inward.Key.Protocol, inward.Backend, inward.BackendGeneration) : -1;
    }

    private static FlowMarks MarksOf(NatSpec spec) => FlowMarks.Mapped | (spec.RefreshInbound ? FlowMarks.RefreshedInwards : FlowMarks.None);

    private static int Map(WorkerContext context, PortMappings mappings, in FlowKey key, BackendRuntime address, out DropReason reason)
    {
        if (!MappedPorts.TryChoose(context, mappings, in key, address, out ushort port))
        {
            reason = DropReason.NoFreePort;
            return -1;
        }

        int mapping = mappings.Add(key.Source, key.SourcePort, address.Address, port, key.Protocol, address.Slot, address.Generation);
        reason = mapping < 0 ? DropReason.FlowTableFull : DropReason.None;
        return mapping;
    }

    private static int Insert(WorkerContext context, int mapping, ref FlowEntry forward, ref FlowEntry reverse, FlowMarks marks, out DropReason reason)
    {
        PortMappings mappings = context.Flows.Mappings!;
        (forward.Hash, reverse.Hash) = (context.Hash.Of(in forward.Key), context.Hash.Of(in reverse.Key));
        forward.Marks |= marks;
        reverse.Marks |= marks;

        // Held before anything may be given up to make room, which could be the mapping's last flow.
        mappings.Hold(mapping);
        bool isTaken = context.Flows.Find(in reverse.Key, reverse.Hash) >= 0;
        int index = isTaken ? -1 : context.Flows.InsertPair(in forward, in reverse, context.NowNs);
        reason = index >= 0 ? DropReason.None : isTaken ? DropReason.NoFreePort : DropReason.FlowTableFull;
        if (index < 0)
        {
            mappings.LetGo(mapping);
        }
        else if ((marks & FlowMarks.FromOutside) == 0)
        {
            mappings[mapping].LastSent = FlowTable.Ticks(context.NowNs);
        }

        return index;
    }
}
