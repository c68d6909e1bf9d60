using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Finds the service a packet is for. Immutable.</summary>
/// <remarks>Those of one address and one port are found by one probe of a hash; only where there are others, and none of those was found, these are asked
/// (<see cref="WideServices"/>).</remarks>
internal sealed class ServiceTable
{
    private readonly EndpointMap<int> _exact;
    private readonly WideServices? _wide;

    /// <summary>Makes the table.</summary>
    /// <param name="services">The services.</param>
    /// <param name="like">Another table, whose places are used again if they are the same: as a rule services change, but not where they are found.</param>
    public ServiceTable(ServiceRuntime[] services, ServiceTable? like = null)
    {
        Services = services;
        HasConnectionIds = Array.Exists(services, service => service.ConnectionIds is not null);
        if (like is { _wide: null } && HaveSameKeys(services, like.Services))
        {
            _exact = like._exact;
            return;
        }

        _exact = new EndpointMap<int>(services.Length);
        var wide = new List<ServiceRuntime>();
        for (int i = 0; i < services.Length; i++)
        {
            ServiceSpec spec = services[i].Spec;
            if (spec.IsOneAddress && spec.IsOnePort)
            {
                _exact.Add(spec.Address, spec.Port, spec.Protocol, out _) = i;
            }
            else
            {
                wide.Add(services[i]);
            }
        }

        _wide = wide.Count == 0 ? null : new WideServices(wide);
    }

    public ServiceRuntime[] Services { get; }

    /// <summary>Whether any service asks for connection IDs.</summary>
    public bool HasConnectionIds { get; }

    public bool IsEmpty => Services.Length == 0;

    /// <summary>Whether its services are known to be found where those of another table are.</summary>
    public bool HasPlacesOf(ServiceTable other) => _wide is null && ReferenceEquals(_exact, other._exact);

    private static bool HaveSameKeys(ServiceRuntime[] services, ServiceRuntime[] others)
    {
        bool isSame = services.Length == others.Length;
        for (int i = 0; isSame && i < services.Length; i++)
        {
            isSame = ReferenceEquals(services[i].Spec, others[i].Spec) || ServiceKey.Of(services[i].Spec) == ServiceKey.Of(others[i].Spec);
        }

        return isSame;
    }

    /// <summary>The service of a packet, or null.</summary>
    public ServiceRuntime? Find(in FlowKey key) =>
        _exact.TryFind(key.DestinationHigh, key.DestinationLow, EndpointMap<int>.Pack(key.DestinationPort, key.Protocol, key.Family), out int service)
            ? Services[service]
            : _wide?.Find(in key);
}
