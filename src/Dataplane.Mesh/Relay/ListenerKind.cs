namespace Dataplane.Mesh.Relay;

/// <summary>What a listener takes in.</summary>
public enum ListenerKind
{
    /// <summary>Plain TCP of the applications beside the relay, to go to the mesh by mutual TLS.</summary>
    Outbound,

    /// <summary>Mutual TLS of other relays, to go to the applications beside this one.</summary>
    Inbound,

    /// <summary>TLS of clients outside the mesh, to whom only the relay shows a certificate.</summary>
    Edge,

    /// <summary>TLS that is passed on as it is, by the name in its greeting.</summary>
    Passthrough,
}
