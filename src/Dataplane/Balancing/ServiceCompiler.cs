using Dataplane.Balancing.ConnectionIds;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tunnels;

namespace Dataplane.Balancing;

/// <summary>Compiles services: backend slots, Maglev tables, schedules. Control side.</summary>
internal sealed class ServiceCompiler
{
    /// <summary>Steps of a slow start.</summary>
    public const int RampSteps = 10;

    private readonly BackendSlots _slots;
    private readonly EncapsulationSpec _encapsulation;
    private readonly ForwardingTables? _previous;
    private readonly long _nowNs;
    private readonly bool _isSameEncapsulation;
    private bool _isForwardedAnew;
    private int _firstShift;
    private readonly List<BackendSlots.Identity> _candidates = [];
    private readonly HashSet<BackendSlots.Identity> _needed = [];

    /// <summary>Services of the tables in force that do not stay where they stand, and what is compiled in their stead.</summary>
    private readonly Dictionary<ServiceKey, ServiceRuntime> _before = [];
    private readonly Dictionary<ServiceKey, ServiceRuntime> _after = [];

    /// <summary>Begins.</summary>
    /// <param name="slots">What is known of backends, and is brought up to date.</param>
    /// <param name="encapsulation">Where packets that are enclosed seem to come from.</param>
    /// <param name="previous">The tables in force; null at the start.</param>
    /// <param name="nowNs">Worker time: drains begin and end, and slow starts go on, by it.</param>
    public ServiceCompiler(BackendSlots slots, EncapsulationSpec encapsulation, ForwardingTables? previous, long nowNs)
    {
        (_slots, _encapsulation, _previous, _nowNs) = (slots, encapsulation, previous, nowNs);
        _isSameEncapsulation = ReferenceEquals(previous?.Spec.Encapsulation, encapsulation);
    }

    /// <summary>Services that were compiled; all others are those of the tables before.</summary>
    public int Compiled { get; private set; }

    /// <summary>Consistent-hash tables that were changed.</summary>
    public List<ServiceChange> Changes { get; } = [];

    /// <summary>Slots for which something has changed.</summary>
    public List<BackendShift> Shifts { get; } = [];

    /// <summary>When something changes by itself next, in worker time.</summary>
    public long NextDueNs { get; private set; } = long.MaxValue;

    /// <summary>Slots that services had which are not as they were before.</summary>
    public IReadOnlyList<BackendSlots.Identity> Candidates => _candidates;

    /// <summary>Whether backends are the same as before, and reached the same way, whatever else of them is new.</summary>
    public bool HasSameBackends => !_isForwardedAnew && _candidates.Count == _needed.Count && _needed.SetEquals(_candidates);

    /// <summary>Slots that these services need now.</summary>
    public IEnumerable<BackendSlots.Identity> Needed => _needed;

    /// <summary>The slot of a backend.</summary>
    public static BackendSlots.Identity IdentityOf(ServiceSpec service, BackendSpec backend)
    {
        var key = ServiceKey.Of(service);
        return new BackendSlots.Identity(key.Address, key.Port, key.Protocol, backend.Address, backend.Port, "", key.PrefixLength, key.LastPort);
    }

    /// <summary>Compiles the services.</summary>
    public ServiceRuntime[] Compile(IReadOnlyList<ServiceSpec> specs)
    {
        var services = new ServiceRuntime[specs.Count];
        ServiceRuntime[] before = _previous?.Services.Services ?? [];
        int tail = TailOf(before, specs), shift = specs.Count - before.Length;
        for (int i = 0; i < before.Length; i++)
        {
            // Of thousands of services most stand where they stood, from the beginning or from the end; only the others have to be looked for, there and here.
            int at = i < tail ? i : i + shift;
            if (at < specs.Count && (i >= tail || at < tail + shift) && MayStay(before[i], specs[at]))
            {
                services[at] = before[i];
            }
            else
            {
                _before[ServiceKey.Of(before[i].Spec)] = before[i];
            }
        }

        for (int i = 0; i < specs.Count; i++)
        {
            if (services[i] is null)
            {
                ServiceSpec spec = specs[i];
                ServiceRuntime? known = _before.GetValueOrDefault(ServiceKey.Of(spec));
                services[i] = known is not null && MayStay(known, spec) ? known : CompileAnew(spec);
                _after[ServiceKey.Of(spec)] = services[i];
            }
        }

        foreach (ServiceRuntime service in _before.Values.Where(service => !ReferenceEquals(_after.GetValueOrDefault(ServiceKey.Of(service.Spec)), service)))
        {
            _candidates.AddRange(service.Spec.Backends.Select(backend => IdentityOf(service.Spec, backend)));
        }

        _slots.ForgetNews();
        return services;
    }

    /// <summary>The first of the services before from which on all are the last ones now.</summary>
    private static int TailOf(ServiceRuntime[] before, IReadOnlyList<ServiceSpec> specs)
    {
        int tail = before.Length, shift = specs.Count - before.Length;
        while (tail > 0 && tail + shift > 0 && ReferenceEquals(before[tail - 1].Spec, specs[tail - 1 + shift]))
        {
            tail--;
        }

        return tail;
    }

    /// <summary>Whether a service as it was compiled before is what would be compiled now.</summary>
    private bool MayStay(ServiceRuntime before, ServiceSpec spec) =>
        before.IsSettled && (_isSameEncapsulation || spec.Forward is ForwardMode.Nat or ForwardMode.Dsr) && !_slots.HasNews(ServiceKey.Of(spec)) && AreSame(before.Spec, spec);

    /// <summary>Whether two specifications of a service say the same.</summary>
    internal static bool AreSame(ServiceSpec one, ServiceSpec other) =>
        ReferenceEquals(one, other) || (one.Backends.SequenceEqual(other.Backends) && one.Steer is not null && other.Steer is not null && one.Steer.SequenceEqual(other.Steer)
            && one == other with { Backends = one.Backends, Steer = one.Steer });

    private ServiceRuntime CompileAnew(ServiceSpec spec)
    {
        // What changes by itself later has to be compiled again then.
        (long due, NextDueNs) = (NextDueNs, long.MaxValue);
        Compiled++;
        _firstShift = Shifts.Count;
        _isForwardedAnew |= _before.GetValueOrDefault(ServiceKey.Of(spec)) is { } before && before.Spec.Forward != spec.Forward;
        ServiceRuntime service = Compile(spec);
        service.IsSettled = NextDueNs == long.MaxValue;
        NextDueNs = Math.Min(NextDueNs, due);
        _needed.UnionWith(spec.Backends.Select(backend => IdentityOf(spec, backend)));
        return service;
    }

    /// <summary>Says what becomes of the flows of slots that nobody uses any more.</summary>
    public void Depart(IReadOnlyList<BackendSlot> gone)
    {
        foreach (BackendSlot slot in gone)
        {
            BackendSlots.Identity identity = slot.Identity;
            var key = ServiceKey.Of(identity);
            _after.TryGetValue(key, out ServiceRuntime? service);
            ServiceSpec? spec = service?.Spec ?? _before.GetValueOrDefault(key)?.Spec;
            BackendFate fate = spec is null ? BackendFate.Move : FateOfRemoved(spec);

            if (identity == BackendSlots.Connections)
            {
                // Their packets go on as they did; it is only that nobody follows them any more.
                slot.Fate = BackendFate.Move;
                Shifts.Add(new BackendShift(slot.Number, FlowOutcome.Kept, null));
                continue;
            }

            // Nothing answers for a service that has gone: there is no keeping its flows.
            fate = fate == BackendFate.Stay && service is null ? BackendFate.Move : fate;
            BackendChange? change = spec is null ? null : new BackendChange(spec.Name, identity.Address, identity.Port, slot.State, null) { WeightBefore = slot.Weight };
            Shift(slot, fate, service is { Eligible.Length: > 0 }, change);
            slot.State = null;
        }
    }

    private static BackendFate FateOfRemoved(ServiceSpec spec) => spec switch
    {
        { Protocol: not IpProtocols.Tcp } => BackendFate.Move,
        { OnRemove: RemovePolicy.Keep } => BackendFate.Stay,
        { OnRemove: RemovePolicy.Reset } => BackendFate.Reset,
        _ => BackendFate.Move,
    };

    private ServiceRuntime Compile(ServiceSpec spec)
    {
        BackendSlot[] slots = [.. spec.Backends.Select(backend => _slots.Acquire(IdentityOf(spec, backend)))];
        if (spec.Forward != ForwardMode.Nat)
        {
            Array.ForEach(slots, slot => Direct(spec, slot));
        }

        FlowTimeouts timeouts = FlowTimeouts.Of(spec.Timeouts);
        Array.ForEach(slots, slot => slot.Timeouts = timeouts == FlowTimeouts.Default ? null : timeouts);
        _slots.HasTimeouts |= timeouts != FlowTimeouts.Default;
        bool isPanicking = IsPanicking(spec, slots);
        var all = new BackendRuntime[slots.Length];
        bool isRamping = false;
        for (int i = 0; i < all.Length; i++)
        {
            isRamping |= RampOf(spec, slots[i]) < RampSteps;
        }

        for (int i = 0; i < all.Length; i++)
        {
            all[i] = Compile(spec, spec.Backends[i], slots[i], isPanicking, isRamping);
        }

        BackendRuntime[] eligible = [.. all.Where(backend => backend.Share > 0)];
        for (int i = 0; i < all.Length; i++)
        {
            Tell(spec, all[i], slots[i], eligible.Length > 0, isPanicking);
        }

        return Compile(spec, all, eligible, isPanicking);
    }

    private ServiceRuntime Compile(ServiceSpec spec, BackendRuntime[] all, BackendRuntime[] eligible, bool isPanicking)
    {
        ServiceRuntime? before = _before.GetValueOrDefault(ServiceKey.Of(spec));
        AffinityTable? affinity = spec.Affinity is null ? null : before?.Affinity ?? new AffinityTable();
        ServiceRuntime service = Compile(spec, all, eligible, isPanicking, before, affinity);
        if (spec.Steer.Count > 0)
        {
            service.Steering = SourceSteering.Compile(spec.Steer, groups =>
            {
                string[] names = SourceSteering.Split(groups);
                BackendRuntime[] members = [.. all.Where((_, i) => names.Contains(spec.Backends[i].Group))];
                return Compile(spec, members, [.. members.Where(backend => backend.Share > 0)], isPanicking, before?.Steering?.OfGroups(groups), affinity, groups);
            });
        }

        return service;
    }

    /// <summary>What chooses among all backends, or among those of some groups.</summary>
    private ServiceRuntime Compile(ServiceSpec spec, BackendRuntime[] all, BackendRuntime[] eligible, bool isPanicking, ServiceRuntime? before, AffinityTable? affinity, string groups = "")
    {
        bool isNewGeneration = before is not null && HashGeneration.IsNew(before.Spec, spec);
        int[] weights = [.. eligible.Select(backend => backend.Share)];
        bool isWhole = groups.Length == 0;
        var service = new ServiceRuntime
        {
            Spec = spec,
            All = all,
            Eligible = eligible,
            IsPanicking = isPanicking,
            Table = spec.Balance is BalancePolicy.Maglev or BalancePolicy.SourceHash ? BuildTable(spec, eligible, isNewGeneration ? null : before?.Table, groups) : null,
            Rendezvous = spec.Balance == BalancePolicy.Rendezvous ? new Rendezvous(eligible) : null,
            Bound = spec.MaxLoad is { } most && eligible.Length > 0 ? new LoadBound(most, eligible) : null,
            ConnectionIds = isWhole && spec.Quic is { } quic ? new ConnectionIdRouter(quic, spec.Backends, all, backend => _slots[backend.Slot].Fate == BackendFate.Stay) : null,
            IdCounter = isWhole && spec.Quic is not null ? before?.IdCounter ?? new ConnectionIdCounter() : null,
            Affinity = affinity,
            Schedule = spec.Balance switch
            {
                BalancePolicy.RoundRobin => WeightedSchedule.BuildEqual(weights),
                BalancePolicy.Weighted => WeightedSchedule.Build(weights),
                _ => null,
            },
            Cursor = before?.Cursor ?? 0,
        };
        if (isNewGeneration && before!.Eligible.Length > 0 && eligible.Length > 0)
        {
            // Flows are the service's, and counted with it.
            Changes.Add(HashGeneration.Compare(before, service, isWhole ? KeptSlots(before, all) : []) with { Groups = groups });
        }

        return service;
    }

    /// <summary>Slots of the backends that a service had and has, and whose flows are left with them; these are counted for the receipt.</summary>
    private int[] KeptSlots(ServiceRuntime before, BackendRuntime[] all)
    {
        HashSet<int> had = [.. before.All.Select(backend => backend.Slot)], told = [.. Shifts.Skip(_firstShift).Select(shift => shift.Slot)];
        int[] stay = [.. all.Where(backend => had.Contains(backend.Slot) && _slots[backend.Slot].Fate == BackendFate.Stay).Select(backend => backend.Slot)];
        Shifts.AddRange(stay.Where(slot => !told.Contains(slot)).Select(slot => new BackendShift(slot, FlowOutcome.Kept, null)));
        return stay;
    }

    /// <summary>How packets reach a backend that gets them as they are. Once translated, a flow stays so; the others follow the service.</summary>
    private void Direct(ServiceSpec spec, BackendSlot slot)
    {
        slot.IsDirect = _slots.HasDirect = true;
        slot.Outer = spec.Forward == ForwardMode.Dsr ? null : TunnelTable.HeaderFor(_encapsulation, spec.Forward, slot.Identity.Address);
    }

    /// <summary>Health is disregarded when too few are up: rather some packets to a dead backend than all to the few that are left.</summary>
    private static bool IsPanicking(ServiceSpec spec, BackendSlot[] slots)
    {
        int candidates = 0, up = 0;
        for (int i = 0; i < slots.Length; i++)
        {
            bool isCandidate = spec.Backends[i].Weight > 0 && !spec.Backends[i].Drain;
            candidates += isCandidate ? 1 : 0;
            up += isCandidate && !slots[i].IsDown ? 1 : 0;
        }

        return up < candidates && up * 100L < (long)candidates * (spec.Health?.PanicPercent ?? 0);
    }

    private BackendRuntime Compile(ServiceSpec service, BackendSpec spec, BackendSlot slot, bool isPanicking, bool isRamping)
    {
        BackendState state = StateOf(spec, slot);
        bool takes = state == BackendState.Up || (state == BackendState.Down && isPanicking && !spec.Drain);
        int share = !takes ? 0 : isRamping ? spec.Weight * RampOf(service, slot) : spec.Weight;
        return new BackendRuntime
        {
            Slot = slot.Number,
            Generation = slot.Generation,
            Counter = slot.Counter,
            Address = spec.Address,
            Port = spec.Port,
            Weight = spec.Weight,
            Share = share,
            State = state,
            Reason = slot.Reason,
        };
    }

    /// <summary>What is down is down, also while it is drained: nobody shall wait for a deadline there.</summary>
    private BackendState StateOf(BackendSpec spec, BackendSlot slot)
    {
        slot.DrainSinceNs = spec.Drain ? slot.DrainSinceNs ?? _nowNs : null;
        if (spec.DrainDeadline is { } deadline && slot.DrainSinceNs is { } sinceNs)
        {
            long endNs = sinceNs + (long)deadline.TotalNanoseconds;
            if (_nowNs >= endNs)
            {
                return BackendState.Drained;
            }

            NextDueNs = Math.Min(NextDueNs, endNs);
        }

        return slot.IsDown ? BackendState.Down : spec.Drain ? BackendState.Draining : BackendState.Up;
    }

    /// <summary>Tenths of its weight that a backend has: ten, but for one that has come up lately.</summary>
    private int RampOf(ServiceSpec spec, BackendSlot slot)
    {
        long lengthNs = (long)(spec.Health?.SlowStart.TotalNanoseconds ?? 0);
        if (slot.RisenNs is not { } risenNs || slot.IsDown)
        {
            return RampSteps;
        }

        long sinceNs = _nowNs - risenNs;
        if (sinceNs >= lengthNs)
        {
            slot.RisenNs = null;
            return RampSteps;
        }

        long stepNs = Math.Max(1, lengthNs / RampSteps);
        int step = (int)Math.Min(RampSteps - 1, sinceNs / stepNs) + 1;
        NextDueNs = Math.Min(NextDueNs, step == RampSteps ? risenNs + lengthNs : risenNs + (step * stepNs));
        return step;
    }

    private void Tell(ServiceSpec service, BackendRuntime backend, BackendSlot slot, bool hasEligible, bool isPanicking)
    {
        BackendFate fate = backend.State switch
        {
            // The deadline is there to end flows: to keep them then is refused by the checks.
            BackendState.Drained => FateOfRemoved(service),

            // Nobody knows by itself that the other end of a UDP flow is gone; where there is nobody else, moving it would help nobody.
            BackendState.Down when service.Protocol == IpProtocols.Udp && hasEligible && !isPanicking => BackendFate.Move,
            _ => BackendFate.Stay,
        };
        bool isChanged = slot.State != backend.State || slot.Weight != backend.Weight;
        BackendChange? change = isChanged
            ? new BackendChange(service.Name, backend.Address, backend.Port, slot.State, backend.State)
            {
                WeightBefore = slot.Weight,
                WeightAfter = backend.Weight,
                Reason = ReasonOf(slot.State, backend, slot),
            }
            : null;
        if (change is not null || fate != slot.Fate)
        {
            Shift(slot, fate, hasEligible, change);
        }

        (slot.State, slot.Weight) = (backend.State, backend.Weight);
    }

    private static string ReasonOf(BackendState? before, BackendRuntime backend, BackendSlot slot) => backend.State switch
    {
        BackendState.Down => slot.Reason,
        BackendState.Up when before == BackendState.Down => slot.Reason,
        BackendState.Drained => "drain deadline",
        _ => "",
    };

    private void Shift(BackendSlot slot, BackendFate fate, bool canMove, BackendChange? change)
    {
        FlowOutcome outcome = fate == BackendFate.Stay ? FlowOutcome.Kept
            : slot.Fate != BackendFate.Stay ? FlowOutcome.Leaving
            : fate == BackendFate.Move && canMove ? FlowOutcome.Moved : FlowOutcome.Ended;
        slot.Fate = fate;
        if (_previous is not null)
        {
            Shifts.Add(new BackendShift(slot.Number, outcome, change));
        }
    }

    private MaglevTable? BuildTable(ServiceSpec spec, BackendRuntime[] eligible, MaglevTable? before, string groups)
    {
        MaglevMember[] members = [.. eligible.Select(backend => new MaglevMember(MaglevIdentity.Of(backend.Address, backend.Port), backend.Share))];
        if (before is null)
        {
            return members.Length == 0 ? null : MaglevTable.Build(members, spec.TableSize);
        }

        if (before.Members.SequenceEqual(members))
        {
            return before;
        }

        MaglevTable table = before.Change(members);
        Changes.Add(new ServiceChange(spec.Name, table.Size, table.SlotsMoved, table.MinimumSlotsMoved) { Groups = groups });
        return table;
    }
}
