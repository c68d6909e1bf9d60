using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>Everything a relay is told: who it is, where it listens, who may pass.</summary>
public sealed record RelaySpec
{
    /// <summary>Who it is in the mesh; null for an edge or a pass-through that never speaks mutual TLS.</summary>
    public IdentitySpec? Identity { get; init; }

    /// <summary>Where it listens.</summary>
    public IReadOnlyList<ListenerSpec> Listeners { get; init; } = [];

    /// <summary>The mesh whose services it carries besides; null: none. <see cref="MeshRuntime.ExpandRelay"/> makes listeners of it.</summary>
    public RelayMeshSpec? Mesh { get; init; }

    /// <summary>Who may pass.</summary>
    public AuthorizationSpec Authorization { get; init; } = new();

    /// <summary>How much it takes, and how long it waits.</summary>
    public RelayLimits Limits { get; init; } = new();

    /// <summary>
    /// Whether a second relay may listen at the same addresses (SO_REUSEPORT), so that a new process takes new connections while the old one, told
    /// to stop, ends those it has.
    /// </summary>
    public bool HandOver { get; init; }
}
