using Dataplane.Pipeline;

namespace Dataplane.Bridging;

/// <summary>A port of a bridge in force. Immutable but for counters and buckets, which are its worker's.</summary>
internal sealed class BridgePort
{
    /// <param name="spec">The port.</param>
    /// <param name="bridge">Its bridge.</param>
    /// <param name="index">Its place in the bridge.</param>
    /// <param name="id">The engine's number of the port.</param>
    /// <param name="mtu">The largest layer 3 packet that it takes.</param>
    /// <param name="before">The same port in the tables before; null: it is new.</param>
    public BridgePort(BridgePortSpec spec, LearningBridge bridge, int index, ushort id, int mtu, BridgePort? before)
    {
        (Spec, Bridge, Index, Id, Mtu) = (spec, bridge, index, id, mtu);
        BridgeSpec rules = bridge.Spec;
        Limit = spec.Hosts ?? Math.Max(1, rules.Entries / 8);
        Counters = before?.Counters ?? new BridgePortCounters();
        BridgeSpec? was = before?.Bridge.Spec;
        Moves = was?.Moves == rules.Moves ? before!.Moves : new TokenBucket(rules.Moves, rules.Moves);
        Floods =
        [
            was?.Unknown == rules.Unknown ? before!.Floods[0] : new TokenBucket(rules.Unknown, rules.Unknown),
            was?.Broadcast == rules.Broadcast ? before!.Floods[1] : new TokenBucket(rules.Broadcast, rules.Broadcast),
            was?.Multicast == rules.Multicast ? before!.Floods[2] : new TokenBucket(rules.Multicast, rules.Multicast),
        ];
    }

    public BridgePortSpec Spec { get; }

    public LearningBridge Bridge { get; }

    public int Index { get; }

    public ushort Id { get; }

    public int Mtu { get; }

    /// <summary>Addresses that are learnt behind it.</summary>
    public int Limit { get; }

    public BridgePortCounters Counters { get; }

    /// <summary>Addresses that may come here from other ports.</summary>
    public TokenBucket Moves { get; }

    /// <summary>By <see cref="FloodKind"/>.</summary>
    public TokenBucket[] Floods { get; }

    /// <summary>Where a flooded frame of this port goes. Set once, when the tables are made.</summary>
    public BridgePort[] Others { get; set; } = [];

    /// <summary>Whether frames of this port may leave by another: never by itself.</summary>
    public bool Reaches(BridgePort other) => !ReferenceEquals(this, other) && !(Spec.Isolate && other.Spec.Isolate)
        && (Spec.Horizon.Length == 0 || Spec.Horizon != other.Spec.Horizon);

    public override string ToString() => $"{Bridge.Spec.Name}/{Spec.Port}";
}
