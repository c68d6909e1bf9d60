using Dataplane.Flows;
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
    private readonly HashSet<BackendSlot> _departed = [];

    /// <summary>Of the departed slots with one identity the last: no other can be kept for it, since it would have been taken again.</summary>
    private readonly Dictionary<Identity, BackendSlot> _lastDeparted = [];
    private readonly Stack<BackendSlot> _free = [];

    /// <summary>Slots that are no backend's: of translations, and of flows that are only followed.</summary>
    private readonly HashSet<BackendSlot> _others = [];

    /// <summary>Slots whose flows do not simply stay, free ones excepted.</summary>
    private readonly HashSet<BackendSlot> _leaving = [];

    /// <summary>Services of which something is known that was not when they were compiled.</summary>
    private readonly HashSet<ServiceKey> _news = [];

    /// <summary>Slots that are not as they stand in the arrays below.</summary>
    private readonly HashSet<int> _touched = [];
    private uint[] _generations = [];
    private BackendCounter[] _counters = [];
    private BackendFate[] _fates = [];

    public BackendSlots()
    {
    }

    private BackendSlots(BackendSlots other)
    {
        _all = [.. other._all.Select(slot => slot.CopyFor(this))];
        (_generations, _counters, _fates) = (other._generations, other._counters, other._fates);
        (HasDirect, HasTimeouts) = (other.HasDirect, other.HasTimeouts);
        _touched = [.. other._touched];
        _news = [.. other._news];
        _others = [.. other._others.Select(slot => _all[slot.Number])];
        _leaving = [.. other._leaving.Select(slot => _all[slot.Number])];
        _departed = [.. other._departed.Select(slot => _all[slot.Number])];
        foreach ((Identity identity, BackendSlot slot) in other._lastDeparted)
        {
            _lastDeparted[identity] = _all[slot.Number];
        }

        _free = new Stack<BackendSlot>(other._free.Reverse().Select(slot => _all[slot.Number]));
        foreach ((Identity identity, BackendSlot slot) in other._used)
        {
            _used[identity] = _all[slot.Number];
        }
    }

    /// <summary>Which backend of which service: the service by what it looks like to clients, not by its name. Or which address of which translation.</summary>
    internal readonly record struct Identity(IpAddress Service, ushort ServicePort, byte Protocol, IpAddress Address, ushort Port, string Nat = "",
        byte ServicePrefix = 0, ushort ServiceLastPort = 0);

    /// <summary>Stands for all flows that are only followed.</summary>
    public static Identity Connections { get; } = new(default, 0, 0, default, 0, "connections");

    /// <summary>By slot; the array is never changed afterwards, nor are the next two.</summary>
    public uint[] Generations
    {
        get
        {
            BringUpToDate();
            return _generations;
        }
    }

    public BackendCounter[] Counters
    {
        get
        {
            BringUpToDate();
            return _counters;
        }
    }

    public BackendFate[] Fates
    {
        get
        {
            BringUpToDate();
            return _fates;
        }
    }

    /// <summary>By slot, the address that flows are sent to as they are; none for all others. Empty when there are none.</summary>
    public IpAddress[] DirectAddresses => HasDirect ? [.. _all.Select(slot => slot.IsDirect ? slot.Identity.Address : default)] : [];

    /// <summary>By slot, the outer header that flows are sent in. Empty when there are none.</summary>
    public OuterHeader?[] Outers => HasDirect ? [.. _all.Select(slot => slot.Outer)] : [];

    /// <summary>By slot, how long flows may be idle; null: the defaults. Empty when no service has said.</summary>
    public FlowTimeouts?[] Timeouts => HasTimeouts ? [.. _all.Select(slot => slot.Timeouts)] : [];

    /// <summary>Whether there has ever been a service with timeouts of its own.</summary>
    public bool HasTimeouts { get; set; }

    /// <summary>Whether there has ever been a slot whose flows are sent as they are.</summary>
    public bool HasDirect { get; set; }

    /// <summary>Slots whose backend has gone, and that flows may still remember.</summary>
    public IReadOnlyCollection<BackendSlot> Departed => _departed;

    /// <summary>Slots in use or departed whose flows do not simply stay.</summary>
    public IEnumerable<BackendSlot> Leaving => _leaving;

    /// <summary>The slots that are somebody's.</summary>
    public IReadOnlyCollection<BackendSlot> Taken => _used.Values;

    /// <summary>Slots in use that are no backend's.</summary>
    public IEnumerable<BackendSlot> Others => _others;

    /// <summary>A slot by its number.</summary>
    public BackendSlot this[int number] => _all[number];

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

        if (_lastDeparted.TryGetValue(identity, out slot) && slot.Fate == BackendFate.Stay)
        {
            Forget(slot);
        }
        else if (!_free.TryPop(out slot))
        {
            slot = new BackendSlot(this) { Number = _all.Count };
            _all.Add(slot);
        }

        slot.Begin(identity);
        _used[identity] = slot;
        if (identity.Nat.Length > 0)
        {
            _others.Add(slot);
        }

        return slot;
    }

    /// <summary>Takes note of all backends that are not in use any more.</summary>
    /// <param name="candidates">Those that may be; every slot that is no backend's is looked at besides.</param>
    /// <param name="used">Those of them that are in use.</param>
    /// <returns>Their slots; what becomes of their flows is for the caller to say.</returns>
    public IReadOnlyList<BackendSlot> Depart(IEnumerable<Identity> candidates, IReadOnlySet<Identity> used)
    {
        BackendSlot[] gone = [.. candidates.Where(identity => !used.Contains(identity)).Select(Find).OfType<BackendSlot>()
            .Concat(_others.Where(slot => !used.Contains(slot.Identity))).Distinct().OrderBy(slot => slot.Number)];
        foreach (BackendSlot slot in gone)
        {
            _used.Remove(slot.Identity);
            _others.Remove(slot);
            _departed.Add(slot);
            _lastDeparted[slot.Identity] = slot;
        }

        return gone;
    }

    /// <summary>Takes a slot from the departed ones.</summary>
    private void Forget(BackendSlot slot)
    {
        _departed.Remove(slot);
        if (_lastDeparted.TryGetValue(slot.Identity, out BackendSlot? last) && last == slot)
        {
            _lastDeparted.Remove(slot.Identity);
        }
    }

    /// <summary>Says that a service has to be compiled again though its specification is the same.</summary>
    public void NoteNews(Identity backend) => _news.Add(ServiceKey.Of(backend));

    /// <summary>Whether something is known of a service that was not when it was compiled.</summary>
    public bool HasNews(ServiceKey service) => _news.Count > 0 && _news.Contains(service);

    /// <summary>Once all services that have news were compiled.</summary>
    public void ForgetNews() => _news.Clear();

    /// <summary>Called by a slot whose fate is set.</summary>
    public void NoteFate(BackendSlot slot)
    {
        _touched.Add(slot.Number);
        if (slot.Fate == BackendFate.Stay)
        {
            _leaving.Remove(slot);
        }
        else
        {
            _leaving.Add(slot);
        }
    }

    /// <summary>Makes slots free that no flow of any worker remembers. A backend that has departed gets no new flows, so none can come meanwhile.</summary>
    public void Reclaim()
    {
        foreach (BackendSlot slot in _departed.Where(slot => slot.Counter.Total.Active == 0).ToArray())
        {
            Forget(slot);
            _touched.Add(slot.Number);
            slot.Generation++;
            slot.Counter = new BackendCounter();
            slot.Fate = BackendFate.Move;
            slot.IsDirect = false;
            slot.Outer = null;
            slot.Timeouts = null;
            _leaving.Remove(slot);
            _free.Push(slot);
        }
    }

    /// <summary>Copies of the arrays with what has changed: they are in tables that workers read, and most of them stays.</summary>
    private void BringUpToDate()
    {
        int known = _generations.Length;
        if (_touched.Count == 0 && known == _all.Count)
        {
            return;
        }

        (uint[] generations, BackendCounter[] counters, BackendFate[] fates) = (_generations, _counters, _fates);
        _generations = new uint[_all.Count];
        _counters = new BackendCounter[_all.Count];
        _fates = new BackendFate[_all.Count];
        generations.CopyTo(_generations, 0);
        counters.CopyTo(_counters, 0);
        fates.CopyTo(_fates, 0);
        foreach (int number in _touched.Concat(Enumerable.Range(known, _all.Count - known)))
        {
            BackendSlot slot = _all[number];
            (_generations[number], _counters[number], _fates[number]) = (slot.Generation, slot.Counter, slot.Fate);
        }

        _touched.Clear();
    }
}
