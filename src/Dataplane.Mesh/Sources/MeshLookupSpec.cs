namespace Dataplane.Mesh.Sources;

/// <summary>A name of the domain name system that is looked up again and again; its addresses are endpoints of a service. Immutable.</summary>
public sealed record MeshLookupSpec
{
    /// <summary>The name; one that begins with <c>_</c> is looked up for SRV, others for A and AAAA.</summary>
    public required string Name { get; init; }

    /// <summary>The service.</summary>
    public required string Service { get; init; }

    /// <summary>Its name space.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>Port of the service; 0: the service is another source's, or the configuration's.</summary>
    public ushort Port { get; init; }

    /// <summary>Port of the endpoints; 0: that of the service. SRV records tell it themselves.</summary>
    public ushort TargetPort { get; init; }

    /// <summary>6 (TCP) or 17 (UDP).</summary>
    public byte Protocol { get; init; } = 6;

    /// <summary>Whether it is looked up for SRV.</summary>
    public bool IsSrv => Name.StartsWith('_');
}
