using Dataplane.Balancing;
using Dataplane.Names;

namespace Dataplane.Mesh.Services;

/// <summary>What a mesh means to an engine.</summary>
/// <param name="Services">The services to balance.</param>
/// <param name="Names">The name server; null when there is none.</param>
/// <param name="Status">What came of each service, by name space and name.</param>
internal sealed record MeshTables(IReadOnlyList<ServiceSpec> Services, NameServerSpec? Names, IReadOnlyList<MeshServiceStatus> Status);
