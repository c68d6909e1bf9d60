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
    private IReadOnlyDictionary<string, IReadOnlyList<int>>? _choosing;
    private bool? _areIndependent;
    private MeshPlan? _plan;
    private IReadOnlySet<string>? _aliases;

    /// <summary>For each of <see cref="Status"/>, what it was made of and what came of it; by <see cref="MeshPart.Key"/>, ordinally.</summary>
    public required IReadOnlyList<MeshPart> Parts { get; init; }

    /// <summary>The endpoints that the configuration names.</summary>
    public required EndpointSet Configured { get; init; }

    /// <summary>By the keys of ports that are carried, the port of the relay.</summary>
    public required IReadOnlyDictionary<string, ushort> RelayPorts { get; init; }

    /// <summary>What the services have taken; null when it has gone on to other tables.</summary>
    public required MeshPlan? Plan
    {
        get => _plan;
        init => _plan = value;
    }

    /// <summary>Takes the plan for the tables that follow: it is changed in place, so that only one can have it.</summary>
    public MeshPlan? TakePlan() => Interlocked.Exchange(ref _plan, null);

    /// <summary>The place in <see cref="Parts"/> of a service by name space and name; less than 0 when there is none.</summary>
    public int Find(string key) => Find(Parts, key);

    /// <summary>The place of a service among parts in the order of their keys; the complement of the place it would have when there is none.</summary>
    public static int Find(IReadOnlyList<MeshPart> parts, string key)
    {
        (int low, int high) = (0, parts.Count - 1);
        while (low <= high)
        {
            int middle = (low + high) >>> 1, order = string.CompareOrdinal(parts[middle].Key, key);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return ~low;
    }

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
        (_choosing, _areIndependent, _aliases) = (other._choosing, other._areIndependent, other._aliases);
        return this;
    }
}
