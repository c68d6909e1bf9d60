using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Finds the service a packet is for. Immutable.</summary>
/// <remarks>Those of one address and one port are found by one probe of a hash; only where there are others, and none of those was found, these are asked
/// (<see cref="WideServices"/>).</remarks>
internal sealed class ServiceTable
{
    private readonly EndpointMap<int> _exact;
    private readonly WideServices? _wide;

    public ServiceTable(ServiceRuntime[] services)
    {
        Services = services;
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

    public bool IsEmpty => Services.Length == 0;

    /// <summary>The service of a packet, or null.</summary>
    public ServiceRuntime? Find(in FlowKey key) =>
        _exact.TryFind(key.DestinationHigh, key.DestinationLow, EndpointMap<int>.Pack(key.DestinationPort, key.Protocol, key.Family), out int service)
            ? Services[service]
            : _wide?.Find(in key);
}
