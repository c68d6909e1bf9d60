namespace Dataplane.Balancing.Compatibility;

/// <summary>An upstream host as Envoy's Maglev load balancer sees it.</summary>
/// <param name="Key">What is hashed: <c>address:port</c>, or the host's name, or its <c>hash_key</c>, as the cluster says.</param>
/// <param name="Weight">1 or more.</param>
public readonly record struct EnvoyHost(string Key, int Weight);
