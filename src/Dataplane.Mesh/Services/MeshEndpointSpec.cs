using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Something that serves: an address, what it is called, and whether it can do its work now. Immutable.</summary>
public sealed record MeshEndpointSpec
{
    /// <summary>Its address.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>Name, for status and for names of endpoints of headless services; may be empty.</summary>
    public string Name { get; init; } = "";

    /// <summary>Name space; only services of the same choose it.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>Name of the service that it says it serves; empty: only those that choose it by its labels.</summary>
    public string Service { get; init; } = "";

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Its ports by name: of a port of the service, or of a target port. A port with an empty name is for services with one port.</summary>
    public IReadOnlyDictionary<string, ushort> Ports { get; init; } = new Dictionary<string, ushort>();

    /// <summary>Share of new flows, 0 to 65535.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>Whether it takes new flows.</summary>
    public bool IsReady { get; init; } = true;

    /// <summary>Whether it still serves although it is about to end; asked only when no endpoint is ready.</summary>
    public bool IsServing { get; init; }

    /// <summary>Name of the host within its service, for <c>hostname.service.namespace.svc.cluster.local</c>; empty: made from the address.</summary>
    public string Hostname { get; init; } = "";
}
