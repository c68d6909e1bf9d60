using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Finds the endpoints that a service may have, among what the configuration and all sources say.</summary>
/// <param name="sets">The sets, in the order in which their endpoints come.</param>
/// <param name="own">Addresses of the engine's interfaces, where no endpoint can be.</param>
internal sealed class EndpointIndex(IReadOnlyList<EndpointSet> sets, IReadOnlySet<IpAddress> own)
{
    private readonly Dictionary<string, IReadOnlyList<MeshEndpointSpec>> _labelled = new(StringComparer.Ordinal);

    /// <summary>How many there are.</summary>
    public int Count => sets.Sum(set => set.Count);

    /// <summary>Those that name a service.</summary>
    public IEnumerable<MeshEndpointSpec> OfService(MeshServiceSpec service) =>
        sets.SelectMany(set => set.Find(service.Key)?.Endpoints ?? []).Where(endpoint => !own.Contains(endpoint.Address));

    /// <summary>Those of a name space that have labels.</summary>
    public IReadOnlyList<MeshEndpointSpec> OfNamespace(string space)
    {
        if (!_labelled.TryGetValue(space, out IReadOnlyList<MeshEndpointSpec>? found))
        {
            var labelled = new List<MeshEndpointSpec>();
            foreach (EndpointSet set in sets)
            {
                foreach (EndpointGroup group in set.OfNamespace(space))
                {
                    labelled.AddRange(group.HasLabels ? group.Endpoints.Where(endpoint => endpoint.Labels.Count > 0 && !own.Contains(endpoint.Address)) : []);
                }
            }

            _labelled.Add(space, found = labelled);
        }

        return found;
    }
}
