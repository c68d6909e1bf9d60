using Dataplane.Balancing;
using Dataplane.Bridging;
using Dataplane.Capturing;
using Dataplane.Flows;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Reassembly;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Pipeline;

/// <summary>Everything one worker owns and its stages share; touched by that worker's thread only.</summary>
/// <remarks>Explain runs the same stages on a context of its own, so that nothing it does shows in the live one.</remarks>
internal sealed class WorkerContext
{
    private int _identifications;

    public WorkerContext(WorkerSpec spec, FlowHash hash, int maxMtu, UserStages stages, int maxReceivedBytes = 0)
    {
        Hash = hash;
        Flows = new FlowTable(spec.FlowEntries);
        Neighbours = new NeighbourTable(spec.NeighbourEntries, hash);
        Held = new HeldPackets(256, Math.Max(maxMtu, maxReceivedBytes));
        Fragments = new FragmentTable(maxMtu, Counters) { Owner = this };
        Originated = new OriginatedPackets(maxMtu);
        IcmpLimit = new TokenBucket(spec.IcmpErrorsPerSecond, Math.Max(1, spec.IcmpErrorsPerSecond / 20));
        Stages = stages;
        Names = new NameWorker(hash.OfAddresses(default));
        Overlays = new OverlayWorker(this);
    }

    /// <summary>Which of the workers this is.</summary>
    public WorkerShare Share { get; init; } = WorkerShare.Whole;

    /// <summary>The rings to the other workers; null when there are none, and for explain.</summary>
    public WorkerLinks? Links { get; set; }

    /// <summary>The tables in force; replaced between batches only.</summary>
    public ForwardingTables Tables { get; set; } = ForwardingTables.Empty;

    /// <summary>Worker time of the batch in hand, in nanoseconds.</summary>
    public long NowNs { get; set; }

    public FlowHash Hash { get; }

    public FlowTable Flows { get; }

    public NeighbourTable Neighbours { get; }

    /// <summary>Services while there is no room for flows.</summary>
    public StatelessPath Stateless { get; } = new();

    public OutgoingWays Ways { get; } = new();

    public RouteLookups RouteLookups { get; } = new();

    public HeldPackets Held { get; }

    public FragmentTable Fragments { get; }

    public OriginatedPackets Originated { get; }

    /// <summary>Packets of the batch in hand that go from one inside host to another by their outside addresses.</summary>
    public HairpinPackets Hairpins { get; } = new();

    public TokenBucket IcmpLimit { get; }

    public UserStages Stages { get; }

    /// <summary>What it needs to answer queries for names.</summary>
    public NameWorker Names { get; }

    /// <summary>What it needs to put frames into packets to other hosts, and take them out.</summary>
    public OverlayWorker Overlays { get; }

    /// <summary>Frames that leave a bridge by several ports.</summary>
    public BridgeWorker Bridging { get; } = new();

    /// <summary>Packets whose state was invalid, by <see cref="StateReason"/>. Any thread may read it.</summary>
    public long[] InvalidPackets { get; } = new long[StateReasons.Count];

    public WorkerCounters Counters { get; } = new();

    /// <summary>Time by stage, while it is taken.</summary>
    public StageTimes Times { get; } = new();

    /// <summary>Copies packets out; null while nothing is captured. Set between batches only.</summary>
    public CaptureTap? Tap { get; set; }

    /// <summary>Where steps are recorded when the pipeline runs with <see cref="TracingOn"/>.</summary>
    public TraceRecorder? Trace { get; init; }

    /// <summary>A number for an IPv4 packet that may be fragmented on its way (RFC 6864): no other worker gives it while this one gives others.</summary>
    public ushort NextIdentification() => (ushort)((++_identifications * Share.Count) + Share.Index);
}
