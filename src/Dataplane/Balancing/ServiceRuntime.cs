using Dataplane.Balancing.ConnectionIds;
using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>One service in force. Immutable but for the cursor, which is the worker's, and what is remembered of clients, which all workers share.</summary>
internal sealed class ServiceRuntime
{
    private readonly ServiceSpec _spec = null!;
    private readonly BalanceHash _hash;
    private int _cursor;

    public required ServiceSpec Spec
    {
        get => _spec;
        init => (_spec, _hash) = (value, new BalanceHash(value));
    }

    /// <summary>Backends that take new flows, in the order that the table's and the schedule's members have.</summary>
    public required BackendRuntime[] Eligible { get; init; }

    /// <summary>All backends in the order of the configuration.</summary>
    public required BackendRuntime[] All { get; init; }

    /// <summary>Consistent hash table; null for policies without one.</summary>
    public required MaglevTable? Table { get; init; }

    /// <summary>Sequence of members for round robin and weighted; null for others.</summary>
    public required WeightedSchedule? Schedule { get; init; }

    /// <summary>For the policy of that name; null for others.</summary>
    public Rendezvous? Rendezvous { get; init; }

    /// <summary>How many flows backends may have; null for no bound.</summary>
    public LoadBound? Bound { get; init; }

    /// <summary>Where clients went last; null when the service does not ask.</summary>
    public AffinityTable? Affinity { get; init; }

    /// <summary>Which backend packets belong to by their connection IDs; null when the service does not ask.</summary>
    public ConnectionIdRouter? ConnectionIds { get; init; }

    /// <summary>The worker's counts of what these said; null with <see cref="ConnectionIds"/>.</summary>
    public ConnectionIdCounter? IdCounter { get; init; }

    /// <summary>Which clients go to some backends only; null when all go to any. Set by the compiler, before it is used.</summary>
    public SourceSteering? Steering { get; set; }

    /// <summary>Whether so few backends are up that health is disregarded.</summary>
    public bool IsPanicking { get; init; }

    /// <summary>Whether nothing of it changes by the time alone, as drains with a deadline and slow starts do. Set by the compiler, before it is used.</summary>
    public bool IsSettled { get; set; }

    /// <summary>Place in the schedule; carried over when the service stays.</summary>
    public int Cursor
    {
        get => _cursor;
        set => _cursor = value;
    }

    /// <summary>What chooses a client's backend: the part of the backends that it is steered to, while any of them takes new flows, else the service.</summary>
    public ServiceRuntime For(in FlowKey key) => Steering?.Find(in key) is { Eligible.Length: > 0 } part ? part : this;

    /// <summary>The same service with cursors, and counters, of a worker's own.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="before">What it had before. Workers begin with different backends, or the first would get as many flows at once as there are workers.</param>
    public ServiceRuntime OfWorker(int worker, ServiceRuntime? before) => new()
    {
        Spec = Spec,
        Eligible = Eligible,
        All = All,
        Table = Table,
        Schedule = Schedule,
        Rendezvous = Rendezvous,
        Affinity = Affinity,
        Bound = Bound,
        ConnectionIds = ConnectionIds,
        IdCounter = IdCounter?.OfWorker(worker),
        IsPanicking = IsPanicking,
        Steering = Steering?.OfWorker(worker, before?.Steering),
        Cursor = before?.Cursor ?? worker % Math.Max(1, Eligible.Length),
    };

    /// <summary>Chooses a backend for a new flow.</summary>
    /// <param name="key">The flow, as the client sends it.</param>
    /// <param name="hash">A hash of it that nobody outside can foresee: for chance.</param>
    /// <param name="counters">The worker's counters by slot, for policies that ask how many flows a backend has.</param>
    /// <param name="place">Slot of the table, place in the schedule or number among those that take flows, for explain.</param>
    public BackendRuntime? Choose(in FlowKey key, uint hash, BackendCounter[] counters, out int place)
    {
        place = -1;
        if (Eligible.Length == 0)
        {
            return null;
        }

        switch (Spec.Balance)
        {
            case BalancePolicy.Maglev or BalancePolicy.SourceHash:
                uint of = _hash.Of(in key);
                place = (int)(((ulong)of * (uint)Table!.Size) >> 32);
                return Bound is null ? Eligible[Table.Lookup(of)] : Bound.Choose(Table, place, counters);
            case BalancePolicy.Rendezvous:
                place = Rendezvous!.Choose(_hash.Of(in key));
                break;
            case BalancePolicy.LeastConnections:
                place = FewestFlows(counters);
                break;
            case BalancePolicy.PowerOfTwo:
                place = FewerFlows(hash, counters);
                break;
            default:
                int member = Schedule!.Next(ref _cursor);
                place = _cursor;
                return Eligible[member];
        }

        return Eligible[place];
    }

    /// <summary>The backend that a slot of the table is of.</summary>
    public BackendRuntime BackendOf(int slot) => Eligible[Table!.MemberAt(slot)];

    /// <summary>Chooses a backend by nothing but the packet: as the policy does if it chooses by hash, else any of those that take new flows, each as often.</summary>
    public BackendRuntime? ChooseByHash(in FlowKey key)
    {
        if (Eligible.Length == 0)
        {
            return null;
        }

        uint hash = _hash.Of(in key);
        return Eligible[Table is not null ? Table.Lookup(hash) : Rendezvous?.Choose(hash) ?? (int)(((ulong)hash * (uint)Eligible.Length) >> 32)];
    }

    /// <summary>The backend a client went to before, while it takes new flows; null when there is none or the service does not ask.</summary>
    public BackendRuntime? Remembered(in FlowKey key, FlowHash hash, long nowNs)
    {
        if (Affinity is null)
        {
            return null;
        }

        int slot = Affinity.Find(ClientOf(in key, hash), nowNs / 1_000_000_000, (int)Spec.Affinity!.Value.TotalSeconds);
        for (int i = 0; slot >= 0 && i < Eligible.Length; i++)
        {
            if (Eligible[i].Slot == slot)
            {
                return Eligible[i];
            }
        }

        return null;
    }

    /// <summary>Notes which backend a client has gone to, if the service asks.</summary>
    public void Remember(in FlowKey key, FlowHash hash, long nowNs, BackendRuntime backend) =>
        Affinity?.Note(ClientOf(in key, hash), backend.Slot, nowNs / 1_000_000_000);

    private static (uint First, uint Second) ClientOf(in FlowKey key, FlowHash hash) =>
        (hash.OfEndpoint(key.SourceHigh, key.SourceLow, 0, 0), hash.OfEndpoint(key.SourceHigh, key.SourceLow, 1, 0));

    /// <summary>The backend that would have the fewest flows for its share if it got one more; of several, the next one after the last time.</summary>
    private int FewestFlows(BackendCounter[] counters)
    {
        BackendRuntime[] eligible = Eligible;
        int start = (int)((uint)_cursor++ % (uint)eligible.Length), best = start;
        for (int k = 1; k < eligible.Length; k++)
        {
            int i = start + k < eligible.Length ? start + k : start + k - eligible.Length;
            best = HasFewer(eligible[i], eligible[best], counters) ? i : best;
        }

        return best;
    }

    private int FewerFlows(uint hash, BackendCounter[] counters)
    {
        uint count = (uint)Eligible.Length;
        if (count == 1)
        {
            return 0;
        }

        // Two different ones: the second is one of the others.
        uint other = (hash * 0x85EBCA6B) ^ (hash >> 15);
        int first = (int)(((ulong)hash * count) >> 32), second = (int)(((ulong)other * (count - 1)) >> 32);
        second += second >= first ? 1 : 0;
        return HasFewer(Eligible[second], Eligible[first], counters) ? second : first;
    }

    private static bool HasFewer(BackendRuntime one, BackendRuntime other, BackendCounter[] counters) =>
        (counters[one.Slot].Counts.Active + 1) * other.Share < (counters[other.Slot].Counts.Active + 1) * one.Share;
}
