namespace Dataplane.Balancing;

/// <summary>Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018): no backend is given more flows than its share of all, times a factor, rounded
/// up. A flow whose backend is full goes to that of the next slot which is not. Immutable.</summary>
/// <remarks>By what the worker knows: with several, each keeps the bound for its own flows. Cost: a look at all backends, and at slots until one has room.</remarks>
internal sealed class LoadBound
{
    /// <summary>What a factor is counted in; times the largest factor, flow table and weight of a slow start it still fits in a long.</summary>
    private const int Unit = 100;

    private readonly BackendRuntime[] _eligible;
    private readonly long _factor;
    private readonly long _shares;

    /// <summary>Takes note of the backends.</summary>
    /// <param name="factor">1 to 100, to two digits.</param>
    /// <param name="eligible">Those that take new flows, each with a share.</param>
    public LoadBound(double factor, BackendRuntime[] eligible)
    {
        _eligible = eligible;
        _factor = (long)Math.Round(factor * Unit);
        _shares = eligible.Sum(backend => (long)backend.Share);
    }

    /// <summary>Flows that backends which take new ones have.</summary>
    public long FlowsOf(BackendCounter[] counters)
    {
        long flows = 0;
        foreach (BackendRuntime backend in _eligible)
        {
            flows += counters[backend.Slot].Counts.Active;
        }

        return flows;
    }

    /// <summary>The most flows that a backend may have when there are so many in all.</summary>
    public long Most(BackendRuntime backend, long flows) => ((_factor * flows * backend.Share) + (Unit * _shares) - 1) / (Unit * _shares);

    /// <summary>Whether a backend may be given one flow more.</summary>
    public bool HasRoom(BackendRuntime backend, BackendCounter[] counters) => HasRoom(backend, counters, FlowsOf(counters) + 1);

    /// <summary>The backend of a slot, or that of the next one with room. There always is one: together they may have more than there are.</summary>
    public BackendRuntime Choose(MaglevTable table, int slot, BackendCounter[] counters)
    {
        long flows = FlowsOf(counters) + 1;
        for (int tried = 0; tried < table.Size; tried++)
        {
            BackendRuntime backend = _eligible[table.MemberAt(slot)];
            if (HasRoom(backend, counters, flows))
            {
                return backend;
            }

            slot = slot + 1 < table.Size ? slot + 1 : 0;
        }

        // Of weights that differ by more than the table has slots, the least have none.
        int last = _eligible.Length - 1;
        while (last > 0 && !HasRoom(_eligible[last], counters, flows))
        {
            last--;
        }

        return _eligible[last];
    }

    private bool HasRoom(BackendRuntime backend, BackendCounter[] counters, long flows) => counters[backend.Slot].Counts.Active < Most(backend, flows);
}
