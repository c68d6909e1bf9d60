using System.Runtime.InteropServices;
using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>The flows of one worker that the fast path has. Everything but <see cref="Apply"/> runs on the worker's thread: <see cref="Look"/> between two batches, the rest within them.</summary>
internal sealed class XdpOffloadShare(XdpFlowMap map, Stack<int> slots) : IOffloadedFlows
{
    /// <summary>Entries of the flow table that one look goes over, and flows that it finds at most.</summary>
    private const int Looks = 16_384, MostFound = 1024;

    /// <summary>How long ago a flow's last packet may be for it to be worth it, in ticks of 17 ms.</summary>
    private const uint Recent = 12;

    /// <summary>Looks without a packet after which a flow gives its place back.</summary>
    private const int MostIdle = 40;

    /// <summary>Places that are kept for flows of which both sides have been heard: what anybody can make by sending must not keep them out.</summary>
    private const int KeptForAssured = XdpFlowMap.MaxFlows / 2;

    private readonly Dictionary<int, Offloaded> _flows = [];
    private readonly List<Offloaded> _coming = [];
    private readonly List<Offloaded> _refused = [];
    private readonly List<Offloaded> _leaving = [];
    private readonly List<Offloaded> _ended = [];
    private long _sequence = -1;
    private int _cursor;

    /// <summary>Whether flows are in the map. Between two turns of the control side.</summary>
    public bool HasFlows => _flows.Count > 0 || HasEnded;

    /// <summary>Whether flows have been ended that are still to be counted for the last time. Between two turns of the control side.</summary>
    public bool HasEnded => _ended.Count > 0;

    /// <summary>Whether nothing can have changed: no flow is in the map, and the worker has counted nothing since the last look.</summary>
    public bool IsIdle(Worker worker)
    {
        long sequence = worker.Context.Counters.Sequence;
        bool isIdle = sequence == _sequence && !HasFlows;
        _sequence = sequence;
        return isIdle;
    }

    /// <inheritdoc/>
    public void Recall(int index)
    {
        if (_flows.TryGetValue(index, out Offloaded? flow))
        {
            Recall(flow);
        }
    }

    /// <inheritdoc/>
    public void RecallTo(int neighbour)
    {
        foreach (Offloaded flow in _flows.Values)
        {
            if (flow.Neighbour == neighbour)
            {
                Recall(flow);
            }
        }
    }

    /// <inheritdoc/>
    public bool HasPassed(int index) => _flows.TryGetValue(index, out Offloaded? flow) && !flow.IsRecalled && map.Read(flow.Slot).Packets != flow.Packets;

    /// <summary>Counts, sees which flows no longer hold, and finds others. Between two batches of the worker.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="ports">By identifier: the ports of the fast path; none while it is suspended.</param>
    /// <param name="usable">Those that frames can be redirected to now.</param>
    /// <param name="epoch">The epoch that flows are written in.</param>
    /// <remarks>No program is at work any more on flows that were ended before the look before this.</remarks>
    public void Look(WorkerContext context, FastPathPort?[] ports, FastPathPort?[] usable, uint epoch)
    {
        long packets = 0;
        foreach (Offloaded flow in _ended)
        {
            packets += Count(context, flow);
            slots.Push(flow.Slot);
        }

        _ended.Clear();
        foreach (Offloaded flow in _refused)
        {
            slots.Push(flow.Slot);
            _flows.Remove(flow.Index);
        }

        _refused.Clear();
        context.Ways.Begin();
        foreach (Offloaded flow in _flows.Values)
        {
            long more = Count(context, flow);
            packets += more;
            flow.IdleLooks = more > 0 ? 0 : flow.IdleLooks + 1;
            if (flow.IsRecalled || flow.IdleLooks > MostIdle || !Holds(context, flow, ports, usable))
            {
                Recall(flow);
                _leaving.Add(flow);
            }
        }

        foreach (Offloaded flow in _leaving)
        {
            _flows.Remove(flow.Index);
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

    /// <summary>Writes what was found into the map, and removes what no longer holds. Control side; the worker may run meanwhile.</summary>
    public void Apply()
    {
        foreach (Offloaded flow in _leaving)
        {
            map.Remove(in flow.Key);
            _ended.Add(flow);
        }

        foreach (Offloaded flow in _coming)
        {
            if (!map.TryPut(in flow.Key, in flow.Value))
            {
                _refused.Add(flow);
            }
        }

        _leaving.Clear();
        _coming.Clear();
    }

    /// <summary>One store: programs look at it for every packet.</summary>
    private void Recall(Offloaded flow)
    {
        flow.IsRecalled = true;
        map.End(flow.Slot);
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

        // Other tables are published only when all has been counted by these.
        ForwardingTables tables = context.Tables;
        if (tables.Version == flow.Version)
        {
            if (!tables.Filter.IsEmpty)
            {
                tables.Filter.CounterOf(flow.Rule).Add(more, moreBytes);
            }

            ref BackendCounts counts = ref tables.BackendCounters[flow.Backend].Counts;
            counts.Packets += more;
            counts.Bytes += moreBytes;
        }

        if (!flow.IsRecalled)
        {
            context.Flows[flow.Index].LastSeen = FlowTable.Ticks(context.NowNs);
        }

        return more;
    }

    private static bool Holds(WorkerContext context, Offloaded flow, FastPathPort?[] ports, FastPathPort?[] usable)
    {
        ref readonly FlowEntry entry = ref context.Flows[flow.Index];
        if (!XdpFlowWriter.TryMake(context, in entry, ports, usable, out FastPathPort? received, out FastPathPort? sent, out XdpFlow value))
        {
            return false;
        }

        (value.Epoch, value.Slot) = (flow.Value.Epoch, flow.Slot);
        return received == flow.In && sent == flow.Out && BytesOf(in value).SequenceEqual(BytesOf(in flow.Value));
    }

    private static ReadOnlySpan<byte> BytesOf(in XdpFlow flow) => MemoryMarshal.AsBytes(new ReadOnlySpan<XdpFlow>(in flow));

    private void Find(WorkerContext context, FastPathPort?[] ports, FastPathPort?[] usable, uint epoch)
    {
        FlowTable table = context.Flows;
        uint now = FlowTable.Ticks(context.NowNs);
        for (int looks = Math.Min(Looks, table.Capacity); looks > 0 && _coming.Count < MostFound && slots.Count > 0; looks--)
        {
            int index = _cursor = _cursor + 1 < table.Capacity ? _cursor + 1 : 0;
            ref readonly FlowEntry entry = ref table[index];
            if (entry.State is not (FlowState.TcpEstablished or FlowState.Udp) || now - entry.LastSeen > Recent || _flows.ContainsKey(index)
                || (slots.Count <= KeptForAssured && entry.State == FlowState.Udp && (entry.Marks & FlowMarks.Assured) == 0)
                || !XdpFlowWriter.TryMake(context, in entry, ports, usable, out FastPathPort? received, out FastPathPort? sent, out XdpFlow value))
            {
                continue;
            }

            (value.Epoch, value.Slot) = (epoch, slots.Pop());
            (long packets, long bytes) = map.Read(value.Slot);
            var flow = new Offloaded
            {
                Key = XdpFlowWriter.KeyOf(in entry.Key, received!.InterfaceIndex),
                Value = value,
                Index = index,
                Neighbour = entry.Path.Neighbour,
                Backend = entry.Backend,
                In = received,
                Out = sent!,
                Rule = entry.FilterRule,
                Version = context.Tables.Version,
                Packets = packets,
                Bytes = bytes,
            };
            map.Begin(flow.Slot, epoch);
            _flows.Add(index, flow);
            _coming.Add(flow);
        }
    }

    /// <summary>A flow in the map.</summary>
    private sealed class Offloaded
    {
        public XdpFlowKey Key;
        public XdpFlow Value;

        public required int Index { get; init; }

        public required int Neighbour { get; init; }

        public required int Backend { get; init; }

        public required FastPathPort In { get; init; }

        public required FastPathPort Out { get; init; }

        public required int Rule { get; init; }

        public required int Version { get; init; }

        public int Slot => Value.Slot;

        public long Packets { get; set; }

        public long Bytes { get; set; }

        public int IdleLooks { get; set; }

        public bool IsRecalled { get; set; }
    }
}
