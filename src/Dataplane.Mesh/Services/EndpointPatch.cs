using Dataplane.Balancing;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Tables after a change of endpoints alone: services whose endpoints are others are worked out again, all else is the very same object.</summary>
/// <remarks>What it gives is what compiling everything gives. Endpoints of services that have not changed are not looked at: sources keep their groups as objects.</remarks>
internal static class EndpointPatch
{
    /// <summary>With more changes than this part of the endpoints, compiling everything is no more work.</summary>
    private const int MostChanged = 8;

    /// <summary>Works the tables out.</summary>
    /// <param name="last">Tables of the same mesh and the same own addresses.</param>
    /// <param name="before">What the sources said then.</param>
    /// <param name="now">What they say now.</param>
    /// <param name="own">Addresses of the engine's interfaces, where no endpoint can be.</param>
    /// <returns>Null when more than endpoints has changed, or names depend on those that have.</returns>
    public static MeshTables? TryApply(MeshTables last, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> before, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> now,
        IEnumerable<IpAddress> own)
    {
        var endpoints = new EndpointIndex([last.Configured, .. now.Select(source => source.Snapshot.Endpoints)], own.ToHashSet());
        int most = Math.Max(16, endpoints.Count / MostChanged), changed = 0;
        var affected = new SortedSet<int>();
        for (int source = 0; source < Math.Max(before.Count, now.Count); source++)
        {
            if (before.Count != now.Count || before[source].Name != now[source].Name || !AreSame(before[source].Snapshot.Services, now[source].Snapshot.Services))
            {
                return null;
            }

            foreach ((EndpointGroup? old, EndpointGroup? current) in EndpointSet.Changes(before[source].Snapshot.Endpoints, now[source].Snapshot.Endpoints))
            {
                changed += Math.Max(old?.Endpoints.Count ?? 0, current?.Endpoints.Count ?? 0);
                if (changed > most)
                {
                    return null;
                }

                AddAffected(last, old, current, affected);
            }
        }

        return affected.Any(index => last.Wanted[index].Kind == MeshServiceKind.Headless) ? null : Apply(last, affected, endpoints);
    }

    /// <summary>Services that the endpoints of a group name, and those that choose any of them that has changed by its labels.</summary>
    private static void AddAffected(MeshTables last, EndpointGroup? before, EndpointGroup? now, SortedSet<int> affected)
    {
        EndpointGroup any = now ?? before!;
        if (last.Places.TryGetValue(any.Key, out int named))
        {
            affected.Add(named);
        }

        if (before?.HasLabels != true && now?.HasLabels != true)
        {
            return;
        }

        var old = new HashSet<MeshEndpointSpec>(before?.Endpoints ?? [], ReferenceEqualityComparer.Instance);
        var current = new HashSet<MeshEndpointSpec>(now?.Endpoints ?? [], ReferenceEqualityComparer.Instance);
        MeshEndpointSpec[] different = [.. old.Where(endpoint => !current.Contains(endpoint)), .. current.Where(endpoint => !old.Contains(endpoint))];
        foreach (int index in last.Choosing.TryGetValue(any.Namespace, out IReadOnlyList<int>? choosing) ? choosing : [])
        {
            // Endpoints that have changed places are the same, but may be chosen in another order.
            if (different.Length == 0 || different.Any(endpoint => EndpointSelection.IsChosen(last.Wanted[index], endpoint)))
            {
                affected.Add(index);
            }
        }
    }

    private static MeshTables Apply(MeshTables last, SortedSet<int> affected, EndpointIndex index)
    {
        MeshServiceStatus[] status = [.. last.Status];
        ServiceSpec[] services = [.. last.Services];
        var carried = new Dictionary<string, IReadOnlyList<MeshEndpointSpec>>(StringComparer.Ordinal);
        foreach (int at in affected)
        {
            MeshServiceSpec wanted = last.Wanted[at];
            IReadOnlyList<MeshEndpointSpec> endpoints = EndpointSelection.Of(wanted, index), usable = EndpointSelection.Usable(wanted, endpoints);
            status[at] = status[at] with { Ready = usable.Count, Endpoints = endpoints };
            if (wanted.Tls == MeshServiceTls.Mutual)
            {
                // The engine sends to the relay of the clients whatever the endpoints are.
                carried[wanted.Key] = usable;
                continue;
            }

            for (int i = last.Firsts[at]; i < last.Firsts[at + 1]; i++)
            {
                services[i] = services[i] with { Backends = EndpointSelection.Backends(wanted, last.Ports[i], services[i].Address.Family, usable) };
            }
        }

        return last with
        {
            Services = services,
            Status = status,
            Carried = carried.Count == 0 ? last.Carried : [.. last.Carried.Select(port => carried.TryGetValue(port.Service.Key, out IReadOnlyList<MeshEndpointSpec>? usable) ? port.With(usable) : port)],
        };
    }

    private static bool AreSame(IReadOnlyList<MeshServiceSpec> one, IReadOnlyList<MeshServiceSpec> other) =>
        ReferenceEquals(one, other) || (one.Count == other.Count && one.Zip(other).All(pair => ReferenceEquals(pair.First, pair.Second)));
}
