namespace Dataplane.Mesh.Services;

/// <summary>How a service can be reached; the kinds are those of Kubernetes.</summary>
public enum MeshServiceKind
{
    /// <summary>At an address of the mesh.</summary>
    ClusterIp = 0,

    /// <summary>There, and at a port of the node addresses.</summary>
    NodePort,

    /// <summary>There, and at an address for the outside.</summary>
    LoadBalancer,

    /// <summary>At its endpoints themselves: names lead to these, nothing is balanced.</summary>
    Headless,

    /// <summary>Nowhere: its name is an alias of another.</summary>
    ExternalName,
}
