namespace Dataplane.Mesh.Registration;

/// <summary>All that is registered.</summary>
/// <param name="Revision">Revision of the registry.</param>
/// <param name="Services">Services by <c>namespace/name</c>.</param>
/// <param name="Endpoints">Endpoints.</param>
public sealed record RegistryListing(long Revision, IReadOnlyDictionary<string, ServiceRegistration> Services, IReadOnlyList<RegisteredEndpoint> Endpoints);
