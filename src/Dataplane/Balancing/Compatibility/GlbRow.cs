namespace Dataplane.Balancing.Compatibility;

/// <summary>A row of GLB's forwarding table: indices of the backend that sees a packet first, and of the one it may hand the packet on to.</summary>
/// <param name="Primary">The first.</param>
/// <param name="Secondary">The second.</param>
public readonly record struct GlbRow(int Primary, int Secondary);
