using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>One service in force. Immutable but for the cursor, which is the worker's.</summary>
internal sealed class ServiceRuntime
{
    private int _cursor;

    public required ServiceSpec Spec { get; init; }

    /// <summary>Backends that take new flows, in the order that the table's and the schedule's members have.</summary>
    public required BackendRuntime[] Eligible { get; init; }

    /// <summary>All backends in the order of the configuration.</summary>
    public required BackendRuntime[] All { get; init; }

    /// <summary>Consistent hash table; null for the other policies.</summary>
    public required MaglevTable? Table { get; init; }

    /// <summary>Sequence of members for round robin and weighted; null for Maglev.</summary>
    public required WeightedSchedule? Schedule { get; init; }

    /// <summary>Whether so few backends are up that health is disregarded.</summary>
    public bool IsPanicking { get; init; }

    /// <summary>Place in the schedule; carried over when the service stays.</summary>
    public int Cursor
    {
        get => _cursor;
        set => _cursor = value;
    }

    /// <summary>The same service with a cursor of its own.</summary>
    public ServiceRuntime With(int cursor) =>
        new() { Spec = Spec, Eligible = Eligible, All = All, Table = Table, Schedule = Schedule, IsPanicking = IsPanicking, Cursor = cursor };

    /// <summary>Chooses a backend for a new flow.</summary>
    /// <param name="key">The flow, as the client sends it.</param>
    /// <param name="slot">Slot of the table or place in the schedule, for explain.</param>
    public BackendRuntime? Choose(in FlowKey key, out int slot)
    {
        slot = -1;
        if (Eligible.Length == 0)
        {
            return null;
        }

        if (Table is not null)
        {
            uint hash = BalanceHash.Of(in key);
            slot = (int)(((ulong)hash * (uint)Table.Size) >> 32);
            return Eligible[Table.Lookup(hash)];
        }

        int member = Schedule!.Next(ref _cursor);
        slot = _cursor;
        return Eligible[member];
    }
}
