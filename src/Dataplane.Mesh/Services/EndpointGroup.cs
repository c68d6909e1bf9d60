namespace Dataplane.Mesh.Services;

/// <summary>The endpoints of one source that name one service, or none. Immutable; as long as none of them changes it is the same object.</summary>
/// <param name="space">Their name space.</param>
/// <param name="service">The service they name; empty: none.</param>
/// <param name="endpoints">The endpoints.</param>
internal sealed class EndpointGroup(string space, string service, IReadOnlyList<MeshEndpointSpec> endpoints)
{
    /// <summary>Name space and service, as in <see cref="MeshServiceSpec.Key"/>.</summary>
    public string Key { get; } = $"{space}/{service}";

    /// <summary>Their name space.</summary>
    public string Namespace => space;

    /// <summary>The endpoints; none: there is no such group any more.</summary>
    public IReadOnlyList<MeshEndpointSpec> Endpoints => endpoints;

    /// <summary>Whether services may choose any of them by their labels.</summary>
    public bool HasLabels { get; } = endpoints.Any(endpoint => endpoint.Labels.Count > 0);
}
