namespace Dataplane.Gateway.Networks.Shared;

/// <summary>What the registry says at one moment. Immutable.</summary>
/// <param name="Networks">The networks.</param>
/// <param name="Hosts">By name of a host: where its tunnels and links end.</param>
/// <param name="Alive">Hosts that have been heard of within the last seconds.</param>
/// <param name="Endpoints">By name of a network: who is attached at which host, this one included.</param>
internal sealed record SharedSnapshot(
    SharedNetworks Networks, IReadOnlyDictionary<string, HostRecord> Hosts, IReadOnlySet<string> Alive, ILookup<string, RemoteRecord> Endpoints);
