namespace Dataplane.Telemetry;

/// <summary>What was followed because filter rules ask for states, over all workers.</summary>
/// <param name="IsFollowing">Whether any rule asks.</param>
/// <param name="Flows">Flows begun that nobody translates; those of services and translations count there.</param>
/// <param name="Packets">Their packets, both ways.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Invalid">Packets found invalid, whatever the rules did with them, by reason, such as <c>above_window</c>; all reasons there are.</param>
public sealed record ConnectionsStatus(bool IsFollowing, long Flows, long Packets, long Bytes, IReadOnlyList<InvalidCount> Invalid);
