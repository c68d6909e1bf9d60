using System.Buffers.Binary;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>The flows of one worker that the fast path has. <see cref="Look"/> runs between two batches of the worker, everything else on the control side.</summary>
internal sealed class XdpOffloadShare(XdpFlowMap map, Stack<int> slots)
{
    /// <summary>Entries of the flow table that one look goes over, and flows that it finds at most.</summary>
    private const int Looks = 16_384, MostFound = 1024;

    /// <summary>How long ago a flow's last packet may be for it to be worth it, in ticks of 17 ms.</summary>
    private const uint Recent = 12;

    /// <summary>Looks without a packet after which a flow gives its place back.</summary>
    private const int MostIdle = 40;

    private const byte Push = 8, Ack = TcpStates.Ack;

    private readonly Dictionary<int, Offloaded> _flows = [];
    private readonly List<Offloaded> _coming = [];
    private readonly List<Offloaded> _leaving = [];
    private readonly List<Offloaded> _gone = [];
    private long _sequence = -1;
    private int _cursor;

    /// <summary>Whether nothing can have changed: no flow is in the map, and the worker has counted nothing since the last look.</summary>
    public bool IsIdle(Worker worker)
    {
        long sequence = worker.Context.Counters.Sequence;
        bool isIdle = sequence == _sequence && _flows.Count + _gone.Count == 0;
        _sequence = sequence;
        return isIdle;
    }

    /// <summary>Counts, sees which flows no longer hold, and finds others. Between two batches of the worker.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="ports">By identifier: the ports of the fast path; none while it is suspended.</param>
    /// <param name="usable">Those that frames can be redirected to now.</param>
    /// <param name="epoch">The epoch that flows are written in.</param>
    public void Look(WorkerContext context, FastPathPort?[] ports, FastPathPort?[] usable, uint epoch)
    {
        long packets = 0;
        foreach (Offloaded flow in _gone)
        {
            packets += Count(context, flow);
            slots.Push(flow.Slot);
        }

        _gone.Clear();
        context.Ways.Begin();
        foreach (Offloaded flow in _flows.Values)
        {
            long more = Count(context, flow);
            packets += more;
            flow.IdleLooks = more > 0 ? 0 : flow.IdleLooks + 1;
            if (flow.IdleLooks > MostIdle || !Holds(context, flow, ports, usable))
            {
                _leaving.Add(flow);
            }
        }

        if (packets > 0)
        {
            context.Counters.CountOffloaded(packets);
        }

        if (ports.Length > 0 && context.Stages.IsEmpty)
        {
            Find(context, ports, usable, epoch);
        }
    }

    /// <summary>Writes what was found into the map, and removes what no longer holds.</summary>
    public void Apply()
    {
        foreach (Offloaded flow in _leaving)
        {
            map.Remove(in flow.Key);
            _flows.Remove(flow.Index);
            _gone.Add(flow);
        }

        foreach (Offloaded flow in _coming)
        {
            if (map.TryPut(in flow.Key, in flow.Value))
            {
                _flows[flow.Index] = flow;
            }
            else
            {
                slots.Push(flow.Slot);
            }
        }

        _leaving.Clear();
        _coming.Clear();
    }

    /// <summary>Adds what programs counted to all that the engine counts by.</summary>
    private long Count(WorkerContext context, Offloaded flow)
    {
        (long packets, long bytes) = map.Read(flow.Slot);
        long more = packets - flow.Packets, moreBytes = bytes - flow.Bytes;
        if (more == 0)
        {
            return 0;
        }

        (flow.Packets, flow.Bytes) = (packets, bytes);
        flow.In.CountReceived(more, moreBytes);
        flow.Out.CountTransmitted(more, moreBytes);
        ForwardingTables tables = context.Tables;
        if (tables.Version == flow.Version && !tables.Filter.IsEmpty)
        {
            tables.Filter.CounterOf(flow.Rule).Add(more, moreBytes);
        }

        ref FlowEntry entry = ref context.Flows[flow.Index];
        if (entry.State != FlowState.Free && entry.Key.Equals(in flow.Entry))
        {
            entry.LastSeen = FlowTable.Ticks(context.NowNs);
            ref BackendCounts counts = ref tables.BackendCounters[entry.Backend].Counts;
            counts.Packets += more;
            counts.Bytes += moreBytes;
        }

        return more;
    }

    private static bool Holds(WorkerContext context, Offloaded flow, FastPathPort?[] ports, FastPathPort?[] usable)
    {
        ref readonly FlowEntry entry = ref context.Flows[flow.Index];
        return entry.Key.Equals(in flow.Entry) && TryMake(context, in entry, ports, usable, out FastPathPort? received, out FastPathPort? sent, out XdpFlow value)
            && received == flow.In && sent == flow.Out && value.LinkStart == flow.Value.LinkStart && value.LinkEnd == flow.Value.LinkEnd
            && value.MaxFrameBytes == flow.Value.MaxFrameBytes && value.Ports == flow.Value.Ports && value.TransportDelta == flow.Value.TransportDelta;
    }

    private void Find(WorkerContext context, FastPathPort?[] ports, FastPathPort?[] usable, uint epoch)
    {
        FlowTable table = context.Flows;
        uint now = FlowTable.Ticks(context.NowNs);
        for (int looks = Math.Min(Looks, table.Capacity); looks > 0 && _coming.Count < MostFound && slots.Count > 0; looks--)
        {
            int index = _cursor = _cursor + 1 < table.Capacity ? _cursor + 1 : 0;
            ref readonly FlowEntry entry = ref table[index];
            if (entry.State is not (FlowState.TcpEstablished or FlowState.Udp) || now - entry.LastSeen > Recent || _flows.ContainsKey(index)
                || !TryMake(context, in entry, ports, usable, out FastPathPort? received, out FastPathPort? sent, out XdpFlow value))
            {
                continue;
            }

            (value.Epoch, value.Slot) = (epoch, slots.Pop());
            (long packets, long bytes) = map.Read(value.Slot);
            _coming.Add(new Offloaded
            {
                Key = KeyOf(in entry.Key, received!.InterfaceIndex),
                Value = value,
                Entry = entry.Key,
                Index = index,
                In = received,
                Out = sent!,
                Rule = entry.FilterRule,
                Version = context.Tables.Version,
                Packets = packets,
                Bytes = bytes,
            });
        }
    }

    /// <summary>What the programs are to do with the packets of a flow; the same questions as those of <see cref="EstablishedStage"/>.</summary>
    private static bool TryMake(WorkerContext context, in FlowEntry entry, FastPathPort?[] ports, FastPathPort?[] usable,
        out FastPathPort? received, out FastPathPort? sent, out XdpFlow value)
    {
        (received, sent, value) = (null, null, default);
        ForwardingTables tables = context.Tables;
        FilterProgram filter = tables.Filter;
        bool isTcp = entry.State == FlowState.TcpEstablished;
        if (entry.State is not (FlowState.TcpEstablished or FlowState.Udp) || entry.TablesVersion != tables.Version || entry.InPort >= ports.Length
            || ports[entry.InPort] is null || entry.OuterBytes != 0 || tables.Bridges.OfPort(entry.InPort) is not null
            // Windows are followed segment by segment where rules ask for states; and programs do not tell a segment with PSH from one without.
            || (isTcp && (filter.HasStates || (filter.FlagsLookedAt & Push) != 0 || entry.FilterFlags != (Ack & filter.FlagsLookedAt))))
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

    private static XdpFlowKey KeyOf(in FlowKey key, int interfaceIndex)
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

    /// <summary>A flow in the map.</summary>
    private sealed class Offloaded
    {
        public XdpFlowKey Key;
        public XdpFlow Value;
        public FlowKey Entry;

        public required int Index { get; init; }

        public required FastPathPort In { get; init; }

        public required FastPathPort Out { get; init; }

        public required int Rule { get; init; }

        public required int Version { get; init; }

        public int Slot => Value.Slot;

        public long Packets { get; set; }

        public long Bytes { get; set; }

        public int IdleLooks { get; set; }
    }
}
