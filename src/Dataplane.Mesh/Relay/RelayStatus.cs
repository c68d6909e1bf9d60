using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>All that is known of a relay at one moment.</summary>
/// <param name="State">Where it is in its life.</param>
/// <param name="Connections">Connections at this moment.</param>
/// <param name="Listeners">Each listener.</param>
/// <param name="Certificates">The own identity first, if there is one, then the certificates of edges.</param>
/// <param name="Denied">Connections that a policy refused, by its name.</param>
/// <param name="WouldDeny">Connections that a policy in dry run would have refused, by its name.</param>
public sealed record RelayStatus(
    RelayState State,
    int Connections,
    IReadOnlyList<ListenerStatus> Listeners,
    IReadOnlyList<IdentityStatus> Certificates,
    IReadOnlyDictionary<string, long> Denied,
    IReadOnlyDictionary<string, long> WouldDeny);
