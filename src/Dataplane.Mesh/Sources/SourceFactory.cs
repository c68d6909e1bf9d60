using System.Net;
using Dataplane.Mesh.Compose;
using Dataplane.Mesh.Kubernetes;
using Dataplane.Mesh.Registration;
using Dataplane.Mesh.Xds;

namespace Dataplane.Mesh.Sources;

/// <summary>Makes sources of what a configuration says of them.</summary>
internal static class SourceFactory
{
    public static IMeshSource Create(MeshSourceSpec spec, TimeProvider time) => spec.Kind switch
    {
        MeshSourceKind.Registration when spec.Endpoints.Count == 0 => new RegistryFollower(spec.Registries, spec.TokenFile, time),
        MeshSourceKind.Registration => new RegistrationServer(IPEndPoint.Parse(spec.Endpoints[0]), spec.TokenFile, time),
        MeshSourceKind.Etcd => new EtcdSource(spec.Endpoints, spec.Prefix, time),
        MeshSourceKind.Dns => new DnsSource(spec, time),
        MeshSourceKind.Xds => new XdsSource(spec, time),
        MeshSourceKind.Compose => new ComposeSource(spec.File, spec.Project, spec.Projects, time),
        _ when spec.Files.Count == 0 => new KubernetesSource(spec, time),
        _ => new ManifestSource(spec.Files, time),
    };
}
