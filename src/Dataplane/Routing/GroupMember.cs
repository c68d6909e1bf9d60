namespace Dataplane.Routing;

/// <summary>A next hop of a group.</summary>
/// <param name="Hop">Its number, 0 or more.</param>
/// <param name="Weight">Its share of the flows in proportion to the others', 0 for none.</param>
internal readonly record struct GroupMember(int Hop, int Weight);
