using System.Net;

namespace Dataplane.Mesh.Relay;

/// <summary>What a relay does for a mesh: its services are its endpoints, and nothing of them is named again. Immutable.</summary>
public sealed record RelayMeshSpec
{
    /// <summary>File with a section <c>mesh</c>, the same that the gateway runs with.</summary>
    public string File { get; init; } = "";

    /// <summary>Whether it is the relay of the clients: listens at the mesh's outbound addresses, one port for each port of a service.</summary>
    public bool Outbound { get; init; }

    /// <summary>Addresses of endpoints before which it stands: listens there, at the mesh's inbound port, for whatever of them is carried.</summary>
    public IReadOnlyList<IPAddress> Inbound { get; init; } = [];

    /// <summary>Where the applications behind it listen, such as 127.0.0.1; null: at the endpoint's own address.</summary>
    public IPAddress? Application { get; init; }
}
