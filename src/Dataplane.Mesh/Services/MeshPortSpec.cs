namespace Dataplane.Mesh.Services;

/// <summary>One port of a service. Immutable.</summary>
public sealed record MeshPortSpec
{
    /// <summary>Name, for SRV records and for ports of endpoints that are named; may be empty if it is the only one.</summary>
    public string Name { get; init; } = "";

    /// <summary>Port of the service, 1 to 65535.</summary>
    public required ushort Port { get; init; }

    /// <summary>Port of the endpoints: a number, or the name of a port that each endpoint has; empty: the same as the service's.</summary>
    public string TargetPort { get; init; } = "";

    /// <summary>6 (TCP) or 17 (UDP).</summary>
    public byte Protocol { get; init; } = 6;

    /// <summary>Port at the node addresses; 0: one from 30000 to 32767 that depends on the service's name.</summary>
    public ushort NodePort { get; init; }
}
