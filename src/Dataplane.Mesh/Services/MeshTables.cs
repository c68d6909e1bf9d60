using Dataplane.Balancing;
using Dataplane.Names;

namespace Dataplane.Mesh.Services;

/// <summary>What a mesh means to an engine.</summary>
/// <param name="Services">The services to balance.</param>
/// <param name="Owners">For each of them, the place in <paramref name="Status"/> of the service of the mesh that it belongs to.</param>
/// <param name="Carried">What relays carry.</param>
/// <param name="Names">The name server; null when there is none.</param>
/// <param name="Status">What came of each service, by name space and name.</param>
internal sealed record MeshTables(IReadOnlyList<ServiceSpec> Services, IReadOnlyList<int> Owners, IReadOnlyList<CarriedPort> Carried, NameServerSpec? Names, IReadOnlyList<MeshServiceStatus> Status)
{
    /// <summary>For each of <see cref="Status"/>, the service as it was asked for.</summary>
    public required IReadOnlyList<MeshServiceSpec> Wanted { get; init; }

    /// <summary>For each of <see cref="Services"/>, the port of the mesh's service that it is.</summary>
    public required IReadOnlyList<MeshPortSpec> Ports { get; init; }
}
