namespace Dataplane.Balancing;

/// <summary>What an update did to the way in which one service leads flows to backends by hash.</summary>
/// <param name="Service">The service's name.</param>
/// <param name="Slots">Slots of the table; of a policy without one, the size that is configured, for comparison.</param>
/// <param name="SlotsMoved">Slots that changed their backend.</param>
/// <param name="MinimumSlotsMoved">The fewest any method could have moved for the same change of weights.</param>
public sealed record ServiceChange(string Service, int Slots, int SlotsMoved, int MinimumSlotsMoved)
{
    /// <summary>The groups of backends that clients of a prefix are steered to, if it is their table (<see cref="SteerSpec.To"/>); empty for the table of the whole service.</summary>
    public string Groups { get; init; } = "";

    /// <summary>Whether the size of the table, the hash or the policy is another, so that slots are not those that were. Then <see cref="SlotsMoved"/> is the part of all
    /// hashes that leads elsewhere, in slots: exact for another size; where everything is hashed otherwise, what is to be expected of many flows.</summary>
    public bool IsNewGeneration { get; init; }

    /// <summary>Flows of a service with a new generation that keep their backend, since they have entries of their own. Connections that are served without a flow, because
    /// there was no room, go where the hash leads them now.</summary>
    public long FlowsKept { get; init; }

    /// <summary>Slots of the backends that they are with.</summary>
    internal IReadOnlyList<int> KeptSlots { get; init; } = [];
}
