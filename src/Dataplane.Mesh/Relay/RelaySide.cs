namespace Dataplane.Mesh.Relay;

/// <summary>Which side of a connection the reason of its end lies at.</summary>
public enum RelaySide
{
    /// <summary>The one that connected to the relay.</summary>
    Client,

    /// <summary>The one that the relay connected to.</summary>
    Upstream,

    /// <summary>The relay itself.</summary>
    Relay,
}
