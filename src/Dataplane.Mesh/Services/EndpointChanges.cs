using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Services;

/// <summary>Which services have other endpoints than they had. Endpoints of the others are not looked at: sources keep their groups as objects.</summary>
internal static class EndpointChanges
{
    /// <summary>With more changes than this part of the endpoints, working out everything is no more work.</summary>
    private const int MostChanged = 8;

    /// <summary>Finds them.</summary>
    /// <param name="last">Tables of the same mesh.</param>
    /// <param name="before">What the sources said then.</param>
    /// <param name="now">What they say now.</param>
    /// <returns>Places in <see cref="MeshTables.Parts"/> of <paramref name="last"/>; null when sources came or went, or most endpoints have changed.</returns>
    public static IReadOnlySet<int>? Find(MeshTables last, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> before, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> now)
    {
        int most = Math.Max(16, (last.Configured.Count + now.Sum(source => source.Snapshot.Endpoints.Count)) / MostChanged), changed = 0;
        var affected = new HashSet<int>();
        for (int source = 0; source < Math.Max(before.Count, now.Count); source++)
        {
            if (before.Count != now.Count || before[source].Name != now[source].Name)
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

        return affected;
    }

    /// <summary>Services that the endpoints of a group name, and those that choose any of them that has changed by its labels.</summary>
    private static void AddAffected(MeshTables last, EndpointGroup? before, EndpointGroup? now, HashSet<int> affected)
    {
        EndpointGroup any = now ?? before!;
        if (last.Find(any.Key) is >= 0 and int named)
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
            if (different.Length == 0 || different.Any(endpoint => EndpointSelection.IsChosen(last.Parts[index].Wanted, endpoint)))
            {
                affected.Add(index);
            }
        }
    }
}
