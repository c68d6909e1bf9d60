using Dataplane.Packets;
using Dataplane.Tunnels;

namespace Dataplane.Balancing;

/// <summary>Gives backends, and addresses of source translation, numbers that stay theirs over reloads. Control side; used under the engine's update lock.</summary>
/// <remarks>A slot whose backend has gone is kept until no flow remembers it: so a flow can never be taken for one of another backend, and what becomes
/// of the flows of a backend that has gone can be decided by its slot.</remarks>
internal sealed class BackendSlots
{
    private readonly List<BackendSlot> _all = [];
    private readonly Dictionary<Identity, BackendSlot> _used = [];
    private readonly List<BackendSlot> _departed = [];
    private readonly Stack<BackendSlot> _free = [];

    public BackendSlots()
    {
    }

    private BackendSlots(BackendSlots other)
    {
        _all = [.. other._all.Select(slot => slot.Copy())];
        _departed = [.. other._departed.Select(slot => _all[slot.Number])];
        _free = new Stack<BackendSlot>(other._free.Reverse().Select(slot => _all[slot.Number]));
        foreach ((Identity identity, BackendSlot slot) in other._used)
        {
            _used[identity] = _all[slot.Number];
        }
    }

    /// <summary>Which backend of which service: the service by what it looks like to clients, not by its name. Or which address of which translation.</summary>
    internal readonly record struct Identity(IpAddress Service, ushort ServicePort, byte Protocol, IpAddress Address, ushort Port, string Nat = "");

    /// <summary>Stands for all flows that are only followed.</summary>
    public static Identity Connections { get; } = new(default, 0, 0, default, 0, "connections");

    public uint[] Generations => [.. _all.Select(slot => slot.Generation)];

    public BackendCounter[] Counters => [.. _all.Select(slot => slot.Counter)];

    public BackendFate[] Fates => [.. _all.Select(slot => slot.Fate)];

    /// <summary>By slot, the address that flows are sent to as they are; none for all others. Empty when there are none.</summary>
    public IpAddress[] DirectAddresses => _all.Exists(slot => slot.IsDirect) ? [.. _all.Select(slot => slot.IsDirect ? slot.Identity.Address : default)] : [];

    /// <summary>By slot, the outer header that flows are sent in. Empty when there are none.</summary>
    public OuterHeader?[] Outers => _all.Exists(slot => slot.Outer is not null) ? [.. _all.Select(slot => slot.Outer)] : [];

    /// <summary>Slots whose backend has gone, and that flows may still remember.</summary>
    public IReadOnlyList<BackendSlot> Departed => _departed;

    /// <summary>The slots that are somebody's.</summary>
    public IReadOnlyCollection<BackendSlot> Used => _used.Values;

    /// <summary>A copy to try changes on.</summary>
    public BackendSlots Copy() => new(this);

    /// <summary>The slot of a backend; null if it has none.</summary>
    public BackendSlot? Find(Identity identity) => _used.GetValueOrDefault(identity);

    /// <summary>The slot of a backend, a new one if it has none. One that comes back while flows were kept for it has its own again.</summary>
    public BackendSlot Acquire(Identity identity)
    {
        if (_used.TryGetValue(identity, out BackendSlot? slot))
        {
            return slot;
        }

        slot = _departed.Find(departed => departed.Fate == BackendFate.Stay && departed.Identity == identity);
        if (slot is not null)
        {
            _departed.Remove(slot);
        }
        else if (!_free.TryPop(out slot))
        {
            slot = new BackendSlot { Number = _all.Count };
            _all.Add(slot);
        }

        slot.Begin(identity);
        _used[identity] = slot;
        return slot;
    }

    /// <summary>Takes note of all backends that are not in use any more.</summary>
    /// <returns>Their slots; what becomes of their flows is for the caller to say.</returns>
    public IReadOnlyList<BackendSlot> Depart(IReadOnlySet<Identity> used)
    {
        BackendSlot[] gone = [.. _used.Values.Where(slot => !used.Contains(slot.Identity)).OrderBy(slot => slot.Number)];
        foreach (BackendSlot slot in gone)
        {
            _used.Remove(slot.Identity);
            _departed.Add(slot);
        }

        return gone;
    }

    /// <summary>Makes slots free that no flow of any worker remembers. A backend that has departed gets no new flows, so none can come meanwhile.</summary>
    public void Reclaim()
    {
        foreach (BackendSlot slot in _departed.Where(slot => slot.Counter.Total.Active == 0).ToArray())
        {
            _departed.Remove(slot);
            slot.Generation++;
            slot.Counter = new BackendCounter();
            slot.Fate = BackendFate.Move;
            slot.IsDirect = false;
            slot.Outer = null;
            _free.Push(slot);
        }
    }
}
