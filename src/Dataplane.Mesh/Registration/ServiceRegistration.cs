namespace Dataplane.Mesh.Registration;

/// <summary>A service, as registered.</summary>
public sealed record ServiceRegistration
{
    /// <summary><c>cluster_ip</c>, <c>node_port</c>, <c>load_balancer</c> or <c>headless</c>.</summary>
    public string Kind { get; set; } = "cluster_ip";

    /// <summary>Its ports.</summary>
    public IReadOnlyList<ServicePortRegistration> Ports { get; set; } = [];

    /// <summary>Labels an endpoint must have to serve it.</summary>
    public IReadOnlyDictionary<string, string> Selector { get; set; } = new Dictionary<string, string>();

    /// <summary><c>maglev</c>, <c>round_robin</c> or <c>weighted</c>.</summary>
    public string Balance { get; set; } = "maglev";
}
