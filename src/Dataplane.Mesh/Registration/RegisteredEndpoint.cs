namespace Dataplane.Mesh.Registration;

/// <summary>An endpoint that is registered now.</summary>
/// <param name="Namespace">Name space of its service.</param>
/// <param name="Service">Its service.</param>
/// <param name="Id">What it calls itself.</param>
/// <param name="Endpoint">What it said of itself.</param>
/// <param name="SecondsLeft">How long it stays without a heartbeat.</param>
public sealed record RegisteredEndpoint(string Namespace, string Service, string Id, EndpointRegistration Endpoint, double SecondsLeft);
