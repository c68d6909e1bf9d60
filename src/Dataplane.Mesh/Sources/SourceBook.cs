using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>What a source has said, part by part: an object, a key, a file, a cluster. What it says as a whole is made of it, and of that only what has changed.</summary>
/// <remarks>
/// A part that is said again and means the same changes nothing, so that reading everything anew after an outage costs the reading and no more. Of several parts
/// with endpoints of one service that part comes first whose name does, ordinally. One caller at a time.
/// </remarks>
internal sealed class SourceBook
{
    /// <summary>By part; those without services, or without endpoints, or without problems, are not there.</summary>
    private readonly SortedDictionary<string, IReadOnlyList<MeshServiceSpec>> _services = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<MeshEndpointSpec>> _endpoints = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, IReadOnlyList<string>> _problems = new(StringComparer.Ordinal);

    /// <summary>By the service that is named, and by part.</summary>
    private readonly Dictionary<(string Namespace, string Service), SortedDictionary<string, IReadOnlyList<MeshEndpointSpec>>> _byService = [];

    private readonly HashSet<(string Namespace, string Service)> _touched = [];
    private IReadOnlyList<MeshServiceSpec>? _allServices = [];
    private EndpointSet _allEndpoints = EndpointSet.Empty;

    /// <summary>All services, in the order of the parts; the same object until one of them changes.</summary>
    public IReadOnlyList<MeshServiceSpec> Services => _allServices ??= [.. _services.Values.SelectMany(services => services)];

    /// <summary>All endpoints; groups of which none has changed are the same objects as before.</summary>
    public EndpointSet Endpoints
    {
        get
        {
            if (_touched.Count > 0)
            {
                _allEndpoints = _allEndpoints.With([.. _touched.Select(key => new EndpointGroup(key.Namespace, key.Service,
                    _byService.TryGetValue(key, out var parts) ? [.. parts.Values.SelectMany(endpoints => endpoints)] : []))]);
                _touched.Clear();
            }

            return _allEndpoints;
        }
    }

    /// <summary>What is wrong with parts, in their order.</summary>
    public IReadOnlyList<string> Problems => [.. _problems.Values.SelectMany(problems => problems)];

    /// <summary>Takes down what a part says, in the place of what it said before.</summary>
    /// <param name="part">Its name.</param>
    /// <param name="services">Its services.</param>
    /// <param name="endpoints">Its endpoints.</param>
    /// <param name="problems">What is wrong with it; null: nothing.</param>
    public void Put(string part, IReadOnlyList<MeshServiceSpec> services, IReadOnlyList<MeshEndpointSpec> endpoints, IReadOnlyList<string>? problems = null)
    {
        Keep(_problems, part, problems ?? []);
        if (!SpecEquality.AreSame(_services.GetValueOrDefault(part) ?? [], services))
        {
            Keep(_services, part, services);
            _allServices = null;
        }

        IReadOnlyList<MeshEndpointSpec> before = _endpoints.GetValueOrDefault(part) ?? [];
        if (!SpecEquality.AreSame(before, endpoints))
        {
            Keep(_endpoints, part, endpoints);
            Replace(part, before, endpoints);
        }
    }

    /// <summary>Takes down that something is wrong with a part, which goes on saying what it said before.</summary>
    public void Complain(string part, IReadOnlyList<string> problems) => Keep(_problems, part, problems);

    /// <summary>Strikes out a part.</summary>
    public void Remove(string part) => Put(part, [], []);

    /// <summary>Strikes out all parts but some.</summary>
    public void RemoveAllBut(IReadOnlySet<string> parts)
    {
        foreach (string gone in _services.Keys.Concat(_endpoints.Keys).Concat(_problems.Keys).Where(part => !parts.Contains(part)).ToArray())
        {
            Remove(gone);
        }
    }

    private void Replace(string part, IReadOnlyList<MeshEndpointSpec> before, IReadOnlyList<MeshEndpointSpec> now)
    {
        ILookup<(string, string), MeshEndpointSpec> groups = now.ToLookup(KeyOf);
        foreach ((string, string) gone in before.Select(KeyOf).Distinct().Where(key => !groups.Contains(key)))
        {
            SortedDictionary<string, IReadOnlyList<MeshEndpointSpec>> parts = _byService[gone];
            parts.Remove(part);
            if (parts.Count == 0)
            {
                _byService.Remove(gone);
            }

            _touched.Add(gone);
        }

        foreach (IGrouping<(string, string), MeshEndpointSpec> group in groups)
        {
            if (!_byService.TryGetValue(group.Key, out SortedDictionary<string, IReadOnlyList<MeshEndpointSpec>>? parts))
            {
                _byService.Add(group.Key, parts = new(StringComparer.Ordinal));
            }

            // A part may be a file with the endpoints of all services.
            MeshEndpointSpec[] endpoints = [.. group];
            if (!parts.TryGetValue(part, out IReadOnlyList<MeshEndpointSpec>? known) || !SpecEquality.AreSame(known, endpoints))
            {
                parts[part] = endpoints;
                _touched.Add(group.Key);
            }
        }
    }

    private static void Keep<T>(IDictionary<string, IReadOnlyList<T>> byPart, string part, IReadOnlyList<T> said)
    {
        if (said.Count == 0)
        {
            byPart.Remove(part);
        }
        else
        {
            byPart[part] = said;
        }
    }

    private static (string Namespace, string Service) KeyOf(MeshEndpointSpec endpoint) => (endpoint.Namespace, endpoint.Service);
}
