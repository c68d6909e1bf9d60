namespace Dataplane.Balancing.Compatibility;

/// <summary>What a GLB configuration says of a backend.</summary>
public enum GlbBackendState
{
    /// <summary>In the table, and coming to have connections.</summary>
    Filling = 0,

    /// <summary>In the table.</summary>
    Active = 1,

    /// <summary>In the table, but second wherever the other backend of the row is active.</summary>
    Draining = 2,

    /// <summary>Not in the table.</summary>
    Inactive = 3,
}
