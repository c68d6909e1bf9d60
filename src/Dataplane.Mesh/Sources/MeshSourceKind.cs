namespace Dataplane.Mesh.Sources;

/// <summary>What kind of source it is.</summary>
public enum MeshSourceKind
{
    /// <summary>Kubernetes manifests (Service, EndpointSlice, Pod) in files.</summary>
    Kubernetes = 0,

    /// <summary>Applications that register themselves over HTTP.</summary>
    Registration,

    /// <summary>Keys in etcd.</summary>
    Etcd,

    /// <summary>Names looked up by DNS.</summary>
    Dns,

    /// <summary>A control plane that speaks xDS, as for Envoy.</summary>
    Xds,

    /// <summary>A compose file that <c>dataplane up</c> runs.</summary>
    Compose,
}
