using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Gives backends, and addresses of source translation, numbers that stay theirs over reloads. Control side; used under the engine's update lock.</summary>
internal sealed class BackendSlots
{
    private readonly Dictionary<Identity, int> _slots = [];
    private readonly List<uint> _generations = [];
    private readonly List<BackendCounter> _counters = [];
    private readonly Stack<int> _free = [];

    /// <summary>Which backend of which service: the service by what it looks like to clients, not by its name. Or which address of which translation.</summary>
    internal readonly record struct Identity(IpAddress Service, ushort ServicePort, byte Protocol, IpAddress Address, ushort Port, string Nat = "");

    public uint[] Generations => [.. _generations];

    public BackendCounter[] Counters => [.. _counters];

    /// <summary>The slot of a backend, a new one if it has none.</summary>
    public (int Slot, uint Generation, BackendCounter Counter) Acquire(Identity identity)
    {
        if (!_slots.TryGetValue(identity, out int slot))
        {
            if (!_free.TryPop(out slot))
            {
                slot = _generations.Count;
                _generations.Add(1);
                _counters.Add(new BackendCounter());
            }

            _slots[identity] = slot;
        }

        return (slot, _generations[slot], _counters[slot]);
    }

    /// <summary>Frees the slots of all backends that are not in use any more: their flows end at their next packet.</summary>
    public void ReleaseAllBut(IReadOnlySet<Identity> used)
    {
        foreach ((Identity identity, int slot) in _slots.Where(entry => !used.Contains(entry.Key)).ToArray())
        {
            _slots.Remove(identity);
            CollectionsMarshal.AsSpan(_generations)[slot]++;
            CollectionsMarshal.AsSpan(_counters)[slot] = new BackendCounter();
            _free.Push(slot);
        }
    }
}
