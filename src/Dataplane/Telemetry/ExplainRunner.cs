using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Nat;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Reassembly;
using Dataplane.Routing;
using Dataplane.Tunnels;

namespace Dataplane.Telemetry;

/// <summary>Runs one packet through the pipeline with tracing on, against a shadow of the worker's state.</summary>
/// <remarks>
/// The shadow has the live tables, copies of the neighbours and of the flow the packet belongs to, and counters of its own: whatever the
/// stages do shows in the explanation and nowhere else. Runs at a quiescent point of the worker, so that stages of the user are never
/// called by two threads. It allocates; explaining is for people.
/// </remarks>
internal sealed class ExplainRunner
{
    private const int HeadroomBytes = 128;

    private readonly byte[] _frame;
    private readonly IReadOnlyList<string> _portNames;
    private readonly ushort _port;
    private readonly PacketBatch _batch = new();

    public ExplainRunner(ReadOnlySpan<byte> frame, IReadOnlyList<string> portNames, ushort port)
    {
        _frame = frame.ToArray();
        _portNames = portNames;
        _port = port;
    }

    /// <summary>The result, once <see cref="Run"/> has returned.</summary>
    public Explanation? Result { get; private set; }

    /// <summary>The worker that decides about the packet: that of its flow, else that of the port. Known once <see cref="FindOwner"/> has returned.</summary>
    public int Owner { get; private set; }

    /// <summary>Finds out which worker decides about the packet, given that of the port.</summary>
    public void FindOwner(WorkerContext live)
    {
        int owner = FlowOwners.Anyone;
        if (live.Tables.Owners is { } owners)
        {
            _batch.Clear(new PortId(_port), live.NowNs);
            _batch.SetMemory((byte[])_frame.Clone());
            _batch.Add(0, _frame.Length);
            PacketParser.Process(_batch, live.Hash);
            TunnelDecapsulationStage.Preview(live, _batch);
            owner = _batch.VerdictOf(0) == Verdict.Continue ? HandOverStage.OwnerOf(owners, live, _batch, 0) : owner;
        }

        Owner = owner >= 0 ? owner : live.Share.Index;
    }

    /// <summary>Explains the packet against the state of a worker.</summary>
    public void Run(WorkerContext live)
    {
        var trace = new TraceRecorder { Batch = _batch };
        WorkerContext shadow = Shadow(live, trace);
        shadow.Overlays.Prepare();
        int[] cursors = [.. live.Tables.Services.Services.Select(service => service.Cursor)];

        byte[] memory = new byte[HeadroomBytes + _frame.Length];
        _frame.CopyTo(memory, HeadroomBytes);
        _batch.Clear(new PortId(_port), live.NowNs);
        _batch.SetMemory(memory);
        _batch.Add(HeadroomBytes, _frame.Length);
        ForwardingPipeline.Receive<TracingOn>(shadow, _batch);
        PacketBatch last = RunOverlays(shadow, trace, RunHairpin(live, shadow, trace));
        if (last.VerdictOf(0) is Verdict.Continue or Verdict.Forward)
        {
            last.Drop(0, DropReason.Undecided);
        }

        if (shadow.Originated.Batch.Count > 0)
        {
            ForwardingPipeline.Originate<TracingOn>(shadow, shadow.Originated.Batch);
            for (int i = 0; i < shadow.Originated.Batch.Count; i++)
            {
                trace.AddOriginated(shadow.Originated.Batch.Frame(i));
            }
        }

        for (int i = 0; i < cursors.Length; i++)
        {
            live.Tables.Services.Services[i].Cursor = cursors[i];
        }

        Result = Describe(live.Tables, trace, last);
    }

    /// <summary>Goes on with a packet that goes from one inside host to another by its outside address, as with what comes from outside.</summary>
    /// <returns>The batch that the packet is in last; the first one still when another worker would go on.</returns>
    private PacketBatch RunHairpin(WorkerContext live, WorkerContext shadow, TraceRecorder trace)
    {
        if (!shadow.Hairpins.HasPending)
        {
            return _batch;
        }

        PacketBatch back = shadow.Hairpins.Take(_batch, shadow.NowNs);
        PacketHeaders headers = default;
        FlowKey key = default;
        if (PacketParser.Parse(back.Frame(0), ref headers, ref key) != DropReason.None
            || (headers.Fragment == FragmentKind.None && key.Protocol is IpProtocols.Tcp or IpProtocols.Udp && live.Share.OwnerOfPort(key.DestinationPort) != live.Share.Index))
        {
            return _batch;
        }

        MappedFlows.CopySentTo(live, shadow, in key);
        CopyFlows(live, shadow, back.Frame(0), in headers, in key);
        trace.Batch = back;
        ForwardingPipeline.Return<TracingOn>(shadow, back, links: null);
        return back;
    }

    /// <summary>Goes on with what was inside the packet, and with the packet it is put into.</summary>
    /// <returns>The batch that the packet is in last.</returns>
    private PacketBatch RunOverlays(WorkerContext shadow, TraceRecorder trace, PacketBatch last)
    {
        OverlayWorker overlays = shadow.Overlays;
        if (overlays.Inner.HasPending)
        {
            overlays.Inner.Take(_batch, shadow.NowNs);
            trace.Batch = last = overlays.Inner.Batch;
            ForwardingPipeline.Receive<TracingOn>(shadow, last);
        }

        if (last.VerdictOf(0) != Verdict.Transmit || shadow.Tables.Bridges.Overlays.OfPort(last.OutPortOf(0).Value) is not { } overlay)
        {
            return last;
        }

        if (overlays.Encapsulate(last, 0) is var reason and not DropReason.None)
        {
            last.Drop(0, reason);
            return last;
        }

        trace.Batch = overlays.Outer;
        OverlayEncapsulationStage.Explain(shadow, overlays.Outer, overlay);
        ForwardingPipeline.Originate<TracingOn>(shadow, overlays.Outer);
        return overlays.Outer;
    }

    private Explanation Describe(ForwardingTables tables, TraceRecorder trace, PacketBatch last)
    {
        Verdict verdict = last.VerdictOf(0);
        bool leaves = verdict == Verdict.Transmit;
        int outPort = last.OutPortOf(0).Value;
        var parsed = ParsedPacket.Parse(_frame);
        string outcome = parsed.Error == DropReason.None ? "parsed" : parsed.Error.ToName();
        var parse = new ExplainStep("parse", outcome, ParseDetail(parsed), new Dictionary<string, object?>());
        return new Explanation
        {
            Port = _portNames[_port],
            Frame = _frame,
            Parsed = parsed,
            Steps = [parse, .. trace.Steps],
            Verdict = verdict,
            Reason = last.ReasonOf(0),
            OutPort = leaves ? _portNames[outPort] : null,
            Output = leaves ? last.Frame(0).ToArray() : default,
            Originated = trace.Originated,
            TablesVersion = tables.Version,
        };
    }

    /// <summary>What the parser has found, as far as it came.</summary>
    private string ParseDetail(ParsedPacket parsed)
    {
        if (parsed.DestinationMac is null)
        {
            return $"{_frame.Length} bytes; an Ethernet header has 14";
        }

        var found = new List<string> { $"ether type 0x{parsed.EtherType:x4}" };
        found.AddRange(parsed.VlanIds.Select(id => $"VLAN {id}"));
        if (parsed.NetworkOffset is int network)
        {
            found.Add($"network header at byte {network}");
        }

        if (parsed.TransportOffset is int transport)
        {
            found.Add($"transport header at byte {transport}");
        }

        if (parsed.Fragment != FragmentKind.None)
        {
            found.Add($"{parsed.Fragment.ToString().ToLowerInvariant()} fragment");
        }

        return $"{string.Join(", ", found)} of {_frame.Length} bytes";
    }

    private WorkerContext Shadow(WorkerContext live, TraceRecorder trace)
    {
        var spec = new WorkerSpec { FlowEntries = 64, NeighbourEntries = live.Neighbours.Capacity, IcmpErrorsPerSecond = 1000 };
        var shadow = new WorkerContext(spec, live.Hash, 9216, live.Stages) { Share = live.Share, Tables = live.Tables, NowNs = live.NowNs, Trace = trace };
        shadow.Neighbours.CopyFrom(live.Neighbours);
        if (live.Tables.Tracked is not null)
        {
            shadow.Flows.Track();
        }

        PacketHeaders headers = default;
        FlowKey key = default;
        if (PacketParser.Parse(_frame, ref headers, ref key) != DropReason.None)
        {
            return shadow;
        }

        if (headers.Fragment != FragmentKind.None)
        {
            var facts = FragmentFacts.Read(_frame, in headers);
            shadow.Fragments.CopyFrom(live.Fragments, in key, in facts, live.Hash, live.NowNs);
            int number = shadow.Fragments.Find(in key, in facts, live.Hash);
            if (headers.Fragment == FragmentKind.Later && number >= 0 && shadow.Fragments[number].HasFirst)
            {
                FollowedPacket first = shadow.Fragments[number].First;
                key.Transport = ((ulong)first.Ports << 32) | ((ulong)first.Protocol << 8) | key.Family;
            }
        }

        MappedFlows.CopyMappings(live, shadow, in key);
        CopyFlows(live, shadow, _frame, in headers, in key);
        return shadow;
    }

    /// <summary>Copies the flow of a packet, and that of the one it quotes.</summary>
    private static void CopyFlows(WorkerContext live, WorkerContext shadow, ReadOnlySpan<byte> frame, in PacketHeaders headers, in FlowKey key)
    {
        CopyFlow(live, shadow, in key);
        int quoted = headers.TransportOffset + 8;
        if (headers.TransportOffset != 0 && headers.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6 && quoted < headers.EndOffset
            && QuotedPacket.TryRead(frame[quoted..headers.EndOffset], headers.IpVersion == 4, out QuotedPacket inner))
        {
            FlowKey turned = inner.Key.Reversed();
            CopyFlow(live, shadow, in turned);
        }
    }

    private static void CopyFlow(WorkerContext live, WorkerContext shadow, in FlowKey key)
    {
        int index = live.Flows.Find(in key, live.Hash.Of(in key));
        if (index < 0 || shadow.Flows.Find(in key, live.Hash.Of(in key)) >= 0)
        {
            return;
        }

        ref FlowEntry entry = ref live.Flows[index];
        ref FlowEntry peer = ref live.Flows[entry.Peer];
        FlowEntry forward = entry.IsForward ? entry : peer, reverse = entry.IsForward ? peer : entry;
        int copy = (entry.Marks & FlowMarks.Mapped) != 0 ? MappedFlows.Adopt(shadow, in forward, in reverse) : shadow.Flows.InsertPair(in forward, in reverse, live.NowNs);
        if (copy >= 0 && live.Tables.Tracked is not null)
        {
            shadow.Flows.ConnectionOf(copy) = live.Flows.ConnectionOf(index);
        }
    }
}
