namespace Dataplane.Mesh.Registration;

/// <summary>What has become of a registry since a revision, or a part of that: one line of <c>GET /v1/watch</c>.</summary>
/// <param name="Instance">Which run of the registry: revisions of another one mean nothing.</param>
/// <param name="Revision">What is reached with this line; where more follows, with the last of them.</param>
/// <param name="IsWhole">Whether this line begins a list of everything, so that what is not on it is not there.</param>
/// <param name="IsMore">Whether the next line belongs to it.</param>
/// <param name="Services">Services that were defined, or, without a definition, are so no more.</param>
/// <param name="Endpoints">Endpoints that are new or others, or, without an endpoint, gone.</param>
internal sealed record RegistryNews(string Instance, long Revision, bool IsWhole, bool IsMore, IReadOnlyList<RegistryNews.Service> Services, IReadOnlyList<RegistryNews.Member> Endpoints)
{
    /// <summary>A service.</summary>
    internal sealed record Service(string Namespace, string Name, ServiceRegistration? Definition);

    /// <summary>An endpoint of a service.</summary>
    internal sealed record Member(string Namespace, string Service, string Id, EndpointRegistration? Endpoint);
}
