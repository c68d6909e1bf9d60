using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Compose;

/// <summary>A service of a compose file, as far as a mesh is concerned. Immutable.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Spec">What it is in the mesh; null: it is left out.</param>
/// <param name="Network">Name of the network at which its replicas are reached; empty: the first one.</param>
/// <param name="Weight">Share of new flows of each replica.</param>
internal sealed record ComposeService(string Name, MeshServiceSpec? Spec, string Network, int Weight);
