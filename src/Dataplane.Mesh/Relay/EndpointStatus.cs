namespace Dataplane.Mesh.Relay;

/// <summary>What is known of an endpoint at one moment.</summary>
/// <param name="Route">The route it belongs to.</param>
/// <param name="Address">Address and port, or <c>original</c>.</param>
/// <param name="Active">Connections to it.</param>
/// <param name="Failures">Connections that could not be made.</param>
/// <param name="IsEjected">Whether it is left out because it refused several in a row.</param>
public sealed record EndpointStatus(string Route, string Address, int Active, long Failures, bool IsEjected);
