namespace Dataplane.Mesh.Registration;

/// <summary>An endpoint of a service, as registered.</summary>
/// <remarks>Properties can be set, since the JSON reader leaves what is not in a text as it is only then.</remarks>
public sealed record EndpointRegistration
{
    /// <summary>IPv4 or IPv6 address.</summary>
    public string Address { get; set; } = "";

    /// <summary>Its ports by the names of the service's; a port with an empty name serves a service with one port.</summary>
    public IReadOnlyDictionary<string, int> Ports { get; set; } = new Dictionary<string, int>();

    /// <summary>Share of new flows, 0 to 65535.</summary>
    public int Weight { get; set; } = 1;

    /// <summary>Whether it takes new flows.</summary>
    public bool Ready { get; set; } = true;

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; set; } = new Dictionary<string, string>();

    /// <summary>Name of the host within a headless service; may be empty.</summary>
    public string Hostname { get; set; } = "";

    /// <summary>How long it stays without a heartbeat, in seconds, 1 to 3600.</summary>
    public int LeaseSeconds { get; set; } = 15;

    /// <summary>Ports of the service, which is made of them if nobody has defined it; empty: nothing is made.</summary>
    public IReadOnlyList<ServicePortRegistration> ServicePorts { get; set; } = [];
}
