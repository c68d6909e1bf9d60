using Dataplane.Balancing;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Tables after a change of endpoints alone: services whose endpoints are others are worked out again, all else is the very same object.</summary>
/// <remarks>What it gives is what compiling everything gives. Endpoints are the same when they are the same objects: sources keep what has not changed.</remarks>
internal static class EndpointPatch
{
    /// <summary>With more changes than this part of the endpoints, compiling everything is no more work.</summary>
    private const int MostChanged = 8;

    /// <summary>Works the tables out.</summary>
    /// <param name="last">Tables of the same mesh and the same own addresses.</param>
    /// <param name="before">What the sources said then.</param>
    /// <param name="now">What they say now.</param>
    /// <param name="mesh">The mesh.</param>
    /// <param name="own">Addresses of the engine's interfaces, where no endpoint can be.</param>
    /// <returns>Null when more than endpoints has changed, or names or relays depend on those that have.</returns>
    public static MeshTables? TryApply(MeshTables last, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> before, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> now, MeshSpec mesh,
        IEnumerable<IpAddress> own)
    {
        var changed = new List<MeshEndpointSpec>();
        for (int source = 0; source < Math.Max(before.Count, now.Count); source++)
        {
            if (before.Count != now.Count || before[source].Name != now[source].Name || !AreSame(before[source].Snapshot.Services, now[source].Snapshot.Services)
                || !TryFindChanges(before[source].Snapshot.Endpoints, now[source].Snapshot.Endpoints, changed))
            {
                return null;
            }
        }

        HashSet<(string, string)> services = [.. changed.Where(endpoint => endpoint.Service.Length > 0).Select(endpoint => (endpoint.Namespace, endpoint.Service))];
        HashSet<string> namespaces = [.. changed.Where(endpoint => endpoint.Labels.Count > 0).Select(endpoint => endpoint.Namespace)];
        int[] affected = [.. Enumerable.Range(0, last.Wanted.Count).Where(index => last.Wanted[index] is var service
            && (services.Contains((service.Namespace, service.Name)) || (service.Selector.Count > 0 && namespaces.Contains(service.Namespace))))];
        if (affected.Any(index => last.Wanted[index].Kind == MeshServiceKind.Headless || last.Wanted[index].Tls == MeshServiceTls.Mutual))
        {
            return null;
        }

        HashSet<IpAddress> excluded = [.. own];
        var byService = new List<MeshEndpointSpec>();
        var byNamespace = new List<MeshEndpointSpec>();
        foreach (MeshEndpointSpec endpoint in mesh.Endpoints.Concat(now.SelectMany(source => source.Snapshot.Endpoints)))
        {
            bool isNamed = endpoint.Service.Length > 0 && services.Contains((endpoint.Namespace, endpoint.Service)), isLabelled = endpoint.Labels.Count > 0;
            if ((isNamed || isLabelled) && !excluded.Contains(endpoint.Address))
            {
                (isNamed ? byService : byNamespace).Add(endpoint);
                if (isNamed && isLabelled)
                {
                    byNamespace.Add(endpoint);
                }
            }
        }

        // One that is affected by its labels may be named by endpoints that have not changed.
        return affected.Any(index => !services.Contains((last.Wanted[index].Namespace, last.Wanted[index].Name)))
            ? null
            : Apply(last, affected, byService.ToLookup(endpoint => $"{endpoint.Namespace}/{endpoint.Service}", StringComparer.Ordinal),
                byNamespace.ToLookup(endpoint => endpoint.Namespace, StringComparer.Ordinal));
    }

    private static MeshTables Apply(MeshTables last, int[] affected, ILookup<string, MeshEndpointSpec> byService, ILookup<string, MeshEndpointSpec> byNamespace)
    {
        var usable = new Dictionary<int, IReadOnlyList<MeshEndpointSpec>>();
        MeshServiceStatus[] status = [.. last.Status];
        foreach (int index in affected)
        {
            IReadOnlyList<MeshEndpointSpec> endpoints = EndpointSelection.Of(last.Wanted[index], byService, byNamespace);
            usable[index] = EndpointSelection.Usable(last.Wanted[index], endpoints);
            status[index] = status[index] with { Ready = usable[index].Count, Endpoints = endpoints };
        }

        ServiceSpec[] services = [.. last.Services];
        for (int i = 0; i < services.Length; i++)
        {
            if (usable.TryGetValue(last.Owners[i], out IReadOnlyList<MeshEndpointSpec>? now))
            {
                services[i] = services[i] with { Backends = EndpointSelection.Backends(last.Wanted[last.Owners[i]], last.Ports[i], services[i].Address.Family, now) };
            }
        }

        return last with { Services = services, Status = status };
    }

    private static bool AreSame<T>(IReadOnlyList<T> one, IReadOnlyList<T> other)
        where T : class
    {
        if (ReferenceEquals(one, other))
        {
            return true;
        }

        for (int i = 0; i < one.Count && one.Count == other.Count; i++)
        {
            if (!ReferenceEquals(one[i], other[i]))
            {
                return false;
            }
        }

        return one.Count == other.Count;
    }

    /// <summary>Finds the endpoints that are in one list only: place by place in lists of one length, else what is left between the same beginning and the same end.</summary>
    private static bool TryFindChanges(IReadOnlyList<MeshEndpointSpec> before, IReadOnlyList<MeshEndpointSpec> now, List<MeshEndpointSpec> changed)
    {
        if (ReferenceEquals(before, now))
        {
            return true;
        }

        int first = 0, end = 0, shorter = Math.Min(before.Count, now.Count);
        if (before.Count != now.Count)
        {
            for (; first < shorter && ReferenceEquals(before[first], now[first]); first++)
            {
            }

            for (; end < shorter - first && ReferenceEquals(before[before.Count - 1 - end], now[now.Count - 1 - end]); end++)
            {
            }
        }

        int most = changed.Count + Math.Max(16, now.Count / MostChanged);
        for (int i = first; i < Math.Max(before.Count, now.Count) - end && changed.Count <= most; i++)
        {
            MeshEndpointSpec? old = i < before.Count - end ? before[i] : null, current = i < now.Count - end ? now[i] : null;
            if (!ReferenceEquals(old, current))
            {
                changed.AddRange(new[] { old, current }.OfType<MeshEndpointSpec>());
            }
        }

        return changed.Count <= most;
    }
}
