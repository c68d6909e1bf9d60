using System.Net;

namespace Dataplane.Mesh.Relay;

/// <summary>One place where connections go.</summary>
public sealed record EndpointSpec
{
    /// <summary>Address and port; null: what the connection was meant for, as <see cref="ListenerSpec.Original"/> tells it.</summary>
    public IPEndPoint? Address { get; init; }

    /// <summary>With <see cref="Address"/> null, the port to take instead of the one it was meant for, such as that of the peers' relays; 0: the same.</summary>
    public int Port { get; init; }

    /// <summary>Its share beside the others, 1 to 1000.</summary>
    public int Weight { get; init; } = 1;
}
