namespace Dataplane.Bridging;

/// <summary>A port of a learning bridge.</summary>
public sealed record BridgePortSpec
{
    /// <summary>Name of the port, which has no interface, no endpoint and one queue.</summary>
    public required string Port { get; init; }

    /// <summary>Whether it reaches only ports that are not isolated.</summary>
    public bool Isolate { get; init; }

    /// <summary>Name of a group of ports between which nothing passes, such as links to other hosts that all reach each other by themselves; empty: none.</summary>
    public string Horizon { get; init; } = "";

    /// <summary>Addresses that are learnt behind it, to <see cref="BridgeSpec.Entries"/>; null: an eighth of these. Frames from further ones pass, and what is sent to those is flooded.</summary>
    public int? Hosts { get; init; }
}
