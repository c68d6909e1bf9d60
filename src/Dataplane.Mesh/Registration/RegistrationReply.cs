namespace Dataplane.Mesh.Registration;

/// <summary>The answer to a registration or a heartbeat.</summary>
/// <param name="LeaseSeconds">How long it stays without another heartbeat.</param>
/// <param name="Revision">Revision of the registry.</param>
internal sealed record RegistrationReply(int LeaseSeconds, long Revision);
