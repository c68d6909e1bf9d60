namespace Dataplane.Balancing;

/// <summary>What an update did to the consistent-hash table of one service.</summary>
/// <param name="Service">The service's name.</param>
/// <param name="Slots">Slots of the table.</param>
/// <param name="SlotsMoved">Slots that changed their backend.</param>
/// <param name="MinimumSlotsMoved">The fewest any method could have moved for the same change of weights.</param>
public sealed record ServiceChange(string Service, int Slots, int SlotsMoved, int MinimumSlotsMoved);
