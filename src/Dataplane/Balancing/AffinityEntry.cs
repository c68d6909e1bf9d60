namespace Dataplane.Balancing;

/// <summary>Where a client of a service went, as <see cref="AffinityTable"/> remembers it.</summary>
/// <param name="Place">Word in the table.</param>
/// <param name="Tag">Bits of the client's hash.</param>
/// <param name="Slot">The backend's slot; in what is handed over its number there.</param>
/// <param name="AgeSeconds">Since its last new flow.</param>
internal readonly record struct AffinityEntry(int Place, int Tag, int Slot, int AgeSeconds);
