namespace Dataplane.Balancing;

/// <summary>A backend as a <see cref="MaglevTable"/> sees it.</summary>
/// <param name="Identity">What it is known by, as from <see cref="MaglevIdentity.Of"/>; unique in a table.</param>
/// <param name="Weight">Its share of the slots, 0 or more; 0: none.</param>
public readonly record struct MaglevMember(ulong Identity, int Weight);
