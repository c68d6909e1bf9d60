using Dataplane.Balancing;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>What a mesh means to an engine.</summary>
/// <param name="Services">The services to balance.</param>
/// <param name="Owners">For each of them, the place in <paramref name="Status"/> of the service of the mesh that it belongs to.</param>
/// <param name="Carried">What relays carry.</param>
/// <param name="Names">The name server; null when there is none.</param>
/// <param name="Status">What came of each service, by name space and name.</param>
internal sealed record MeshTables(IReadOnlyList<ServiceSpec> Services, IReadOnlyList<int> Owners, IReadOnlyList<CarriedPort> Carried, NameServerSpec? Names, IReadOnlyList<MeshServiceStatus> Status)
{
    // Worked out when they are asked for; tables of the same services share them.
    private IReadOnlyDictionary<string, int>? _places;
    private IReadOnlyDictionary<string, IReadOnlyList<int>>? _choosing;
    private bool? _areIndependent;
    private IReadOnlySet<string>? _aliases;

    /// <summary>For each of <see cref="Status"/>, what it was made of and what came of it; by <see cref="MeshPart.Key"/>, ordinally.</summary>
    public required IReadOnlyList<MeshPart> Parts { get; init; }

    /// <summary>The endpoints that the configuration names.</summary>
    public required EndpointSet Configured { get; init; }

    /// <summary>By the keys of services, addresses of their own.</summary>
    public required IReadOnlyDictionary<string, List<IpAddress>> Addresses { get; init; }

    /// <summary>By the keys of services, addresses for the outside.</summary>
    public required IReadOnlyDictionary<string, List<IpAddress>> Outside { get; init; }

    /// <summary>By the keys of ports that are carried, the port of the relay.</summary>
    public required IReadOnlyDictionary<string, ushort> RelayPorts { get; init; }

    /// <summary>Places in <see cref="Parts"/> by name space and name.</summary>
    public IReadOnlyDictionary<string, int> Places => _places ??= Parts.Select((part, at) => (part.Key, at)).ToDictionary(StringComparer.Ordinal);

    /// <summary>Places of services that choose endpoints by labels, by name space.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<int>> Choosing => _choosing ??= Enumerable.Range(0, Parts.Count).Where(at => Parts[at].Wanted.Selector.Count > 0)
        .GroupBy(at => Parts[at].Wanted.Namespace).ToDictionary(group => group.Key, IReadOnlyList<int> (group) => [.. group], StringComparer.Ordinal);

    /// <summary>Whether nothing of a service is left out for the sake of another: then each can be worked out alone when its endpoints change.</summary>
    public bool AreIndependent => _areIndependent ??= Parts.All(part => !part.IsHindered);

    /// <summary>The names that are aliases of others' names, which no other service may take.</summary>
    public IReadOnlySet<string> Aliases => _aliases ??= Parts.Where(part => part.Wanted.Kind == MeshServiceKind.ExternalName)
        .SelectMany(part => part.Names.Records).SelectMany(records => records).Select(record => DomainName.Normalise(record.Name)).ToHashSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Tables of the very same services share what is known of their places.</summary>
    public MeshTables SharingPlacesOf(MeshTables other)
    {
        (_places, _choosing, _areIndependent, _aliases) = (other._places, other._choosing, other._areIndependent, other._aliases);
        return this;
    }
}
