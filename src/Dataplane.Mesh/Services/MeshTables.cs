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
    // Worked out when they are asked for; copies of the tables with other endpoints share them.
    private IReadOnlyDictionary<string, int>? _places;
    private IReadOnlyDictionary<string, IReadOnlyList<int>>? _choosing;

    /// <summary>For each of <see cref="Status"/>, the service as it was asked for.</summary>
    public required IReadOnlyList<MeshServiceSpec> Wanted { get; init; }

    /// <summary>For each of <see cref="Services"/>, the port of the mesh's service that it is.</summary>
    public required IReadOnlyList<MeshPortSpec> Ports { get; init; }

    /// <summary>For each of <see cref="Wanted"/>, and once more, the place of its first one in <see cref="Services"/>; the next one's is the end of its own.</summary>
    public required IReadOnlyList<int> Firsts { get; init; }

    /// <summary>The endpoints that the configuration names.</summary>
    public required EndpointSet Configured { get; init; }

    /// <summary>Places in <see cref="Wanted"/> by name space and name.</summary>
    public IReadOnlyDictionary<string, int> Places => _places ??= Wanted.Select((service, at) => (service.Key, at)).ToDictionary(StringComparer.Ordinal);

    /// <summary>Places of services that choose endpoints by labels, by name space.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<int>> Choosing => _choosing ??= Enumerable.Range(0, Wanted.Count).Where(at => Wanted[at].Selector.Count > 0)
        .GroupBy(at => Wanted[at].Namespace).ToDictionary(group => group.Key, IReadOnlyList<int> (group) => [.. group], StringComparer.Ordinal);
}
