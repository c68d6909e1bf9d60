using System.Collections;
using System.Runtime.CompilerServices;

namespace Dataplane.Mesh.Services;

/// <summary>All endpoints of a source, by the service that they name. Immutable.</summary>
/// <remarks>
/// What changes of a set is found, and another set is made of it, by looking at groups alone, of which there are as many as services: with ten thousand services of
/// twenty-five endpoints, those of the services that have changed are touched and no others.
/// </remarks>
[CollectionBuilder(typeof(EndpointSet), nameof(Create))]
internal sealed class EndpointSet : IReadOnlyCollection<MeshEndpointSpec>
{
    /// <summary>By their keys, ordinally.</summary>
    private readonly EndpointGroup[] _groups;

    private EndpointSet(EndpointGroup[] groups, int count) => (_groups, Count) = (groups, count);

    public static EndpointSet Empty { get; } = new([], 0);

    /// <inheritdoc/>
    public int Count { get; }

    /// <summary>The groups, by their keys.</summary>
    public IReadOnlyList<EndpointGroup> Groups => _groups;

    /// <summary>Makes a set of endpoints; those that name the same service stay in their order.</summary>
    public static EndpointSet Create(ReadOnlySpan<MeshEndpointSpec> endpoints)
    {
        var byKey = new Dictionary<(string Namespace, string Service), List<MeshEndpointSpec>>();
        foreach (MeshEndpointSpec endpoint in endpoints)
        {
            if (!byKey.TryGetValue((endpoint.Namespace, endpoint.Service), out List<MeshEndpointSpec>? same))
            {
                byKey.Add((endpoint.Namespace, endpoint.Service), same = []);
            }

            same.Add(endpoint);
        }

        return Empty.With([.. byKey.Select(pair => new EndpointGroup(pair.Key.Namespace, pair.Key.Service, pair.Value))]);
    }

    /// <summary>A set with other groups in the place of those that have their keys; groups without endpoints are left out.</summary>
    public EndpointSet With(IReadOnlyCollection<EndpointGroup> changed)
    {
        var groups = new List<EndpointGroup>(_groups.Length + changed.Count);
        int taken = 0, count = Count;
        foreach (EndpointGroup group in changed.OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            int at = IndexOf(group.Key), place = at < 0 ? ~at : at;
            groups.AddRange(_groups.AsSpan(taken, place - taken));
            taken = at < 0 ? place : place + 1;
            count += group.Endpoints.Count - (at < 0 ? 0 : _groups[at].Endpoints.Count);
            if (group.Endpoints.Count > 0)
            {
                groups.Add(group);
            }
        }

        groups.AddRange(_groups.AsSpan(taken));
        return new EndpointSet([.. groups], count);
    }

    /// <summary>The endpoints that name a service.</summary>
    public EndpointGroup? Find(string key) => IndexOf(key) is >= 0 and int at ? _groups[at] : null;

    /// <summary>All groups of a name space.</summary>
    public ReadOnlySpan<EndpointGroup> OfNamespace(string space)
    {
        // Keys that begin alike stand together; '0' is the character behind '/'.
        int first = PlaceOf($"{space}/"), end = PlaceOf($"{space}0");
        return _groups.AsSpan(first, end - first);
    }

    /// <summary>The groups that are not the same objects in two sets: as they were, and as they are now.</summary>
    public static IEnumerable<(EndpointGroup? Before, EndpointGroup? Now)> Changes(EndpointSet before, EndpointSet now)
    {
        EndpointGroup[] old = before._groups, current = now._groups;
        for (int i = 0, j = 0; !ReferenceEquals(old, current) && (i < old.Length || j < current.Length);)
        {
            if (i < old.Length && j < current.Length && ReferenceEquals(old[i], current[j]))
            {
                (i, j) = (i + 1, j + 1);
                continue;
            }

            int order = i == old.Length ? 1 : j == current.Length ? -1 : string.CompareOrdinal(old[i].Key, current[j].Key);
            yield return (order <= 0 ? old[i] : null, order >= 0 ? current[j] : null);
            (i, j) = (order <= 0 ? i + 1 : i, order >= 0 ? j + 1 : j);
        }
    }

    /// <inheritdoc/>
    public IEnumerator<MeshEndpointSpec> GetEnumerator() => _groups.SelectMany(group => group.Endpoints).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Where a key is, or would be.</summary>
    private int PlaceOf(string key)
    {
        int at = IndexOf(key);
        return at < 0 ? ~at : at;
    }

    /// <summary>Where a key is; the complement of where it would be, when it is not there.</summary>
    private int IndexOf(string key)
    {
        int low = 0, high = _groups.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1, order = string.CompareOrdinal(_groups[middle].Key, key);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return ~low;
    }
}
