using System.Buffers.Binary;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>Writes down for XDP programs what an entry of the flow table remembers. Between two batches of the worker.</summary>
internal static class XdpFlowWriter
{
    /// <summary>What the programs are to do with the packets of a flow; the same questions as those of <see cref="EstablishedStage"/>.</summary>
    public static bool TryMake(WorkerContext context, in FlowEntry entry, FastPathPort?[] ports, FastPathPort?[] usable,
        out FastPathPort? received, out FastPathPort? sent, out XdpFlow value)
    {
        (received, sent, value) = (null, null, default);
        ForwardingTables tables = context.Tables;
        FilterProgram filter = tables.Filter;
        bool isTcp = entry.State == FlowState.TcpEstablished;
        // Programs do not read connection IDs.
        bool isAsked = entry.IsForward && (entry.Marks & FlowMarks.ConnectionIds) != 0;
        if (isAsked || entry.State is not (FlowState.TcpEstablished or FlowState.Udp) || entry.Path.TablesVersion != tables.Version || entry.InPort >= ports.Length
            || ports[entry.InPort] is null || entry.OuterBytes != 0 || tables.Bridges.OfPort(entry.InPort) is not null
            // Windows are followed segment by segment where rules ask for states; and programs do not tell segments with PSH, ECE or CWR from those without.
            || (isTcp && (filter.HasStates || (filter.FlagsLookedAt & ~XdpFastPath.FlagsLookedAt) != 0 || entry.FilterFlags != (TcpStates.Ack & filter.FlagsLookedAt))))
        {
            return false;
        }

        int untagged = tables.InterfaceMap.Find(entry.InPort, 0);
        ref readonly OutgoingWays.Way way = ref context.Ways.Of(context, in entry);
        if (untagged < 0 || way.Mtu <= 0 || way.Port >= usable.Length || usable[way.Port] is null || tables.Bridges.OfPort(way.Port) is not null)
        {
            return false;
        }

        (received, sent) = (ports[entry.InPort], usable[way.Port]);
        ulong station = BinaryPrimitives.ReverseEndianness(tables.Interfaces[untagged].Mac.Bits << 16);
        bool isV4 = entry.Key.Family == 4;
        value = new XdpFlow
        {
            Device = sent!.Device,
            MaxFrameBytes = way.Mtu + 14,
            LinkStart = way.LinkStart,
            LinkEnd = way.LinkEnd,
            StationStart = (uint)station,
            StationEnd = (uint)(station >> 32) & 0xFFFF,
            HeaderDelta = BinaryPrimitives.ReverseEndianness(InternetChecksum.Fold((uint)entry.AddressDelta + InternetChecksum.TtlDecrementDelta)),
            TransportDelta = BinaryPrimitives.ReverseEndianness(entry.TransportDelta),
            Ports = BinaryPrimitives.ReverseEndianness(entry.NewPorts),
        };
        (value.Source0, value.Source1) = Wire(entry.NewSourceHigh, entry.NewSourceLow, isV4);
        (value.Destination0, value.Destination1) = Wire(entry.NewDestinationHigh, entry.NewDestinationLow, isV4);
        return true;
    }

    public static XdpFlowKey KeyOf(in FlowKey key, int interfaceIndex)
    {
        bool isV4 = key.Family == 4;
        var result = new XdpFlowKey
        {
            Interface = interfaceIndex,
            Ports = BinaryPrimitives.ReverseEndianness((uint)(key.Transport >> 32)),
            Protocol = key.Protocol | ((uint)key.Family << 8),
        };
        (result.Source0, result.Source1) = Wire(key.SourceHigh, key.SourceLow, isV4);
        (result.Destination0, result.Destination1) = Wire(key.DestinationHigh, key.DestinationLow, isV4);
        return result;
    }

    /// <summary>An address as it stands in the frame; of IPv4 in the first word.</summary>
    private static (ulong First, ulong Second) Wire(ulong high, ulong low, bool isV4) => isV4
        ? (BinaryPrimitives.ReverseEndianness((uint)low), 0)
        : (BinaryPrimitives.ReverseEndianness(high), BinaryPrimitives.ReverseEndianness(low));
}
