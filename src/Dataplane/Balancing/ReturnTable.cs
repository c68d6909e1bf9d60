using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Which service a backend's address, port and protocol stand for, where it is one only: what answers without a flow are translated by. Immutable.</summary>
internal sealed class ReturnTable
{
    private readonly EndpointMap<Place> _places;

    /// <summary>Whether backends get packets at the ports they were sent to: these stand in the table at port 0.</summary>
    private readonly bool _hasKept;

    public ReturnTable(ServiceRuntime[] services)
    {
        ServiceRuntime[] translated = [.. services.Where(service => service.Spec.Forward == ForwardMode.Nat)];
        _places = new EndpointMap<Place>(translated.Sum(service => service.All.Length), room: 2);
        foreach (ServiceRuntime service in translated)
        {
            foreach (BackendRuntime backend in service.All)
            {
                Add(service.Spec, backend);
                _hasKept |= backend.Port == 0;
            }
        }
    }

    /// <summary>The service that packets from a backend are to come from.</summary>
    /// <param name="key">A packet as the backend sends it.</param>
    /// <param name="found">Service and slot.</param>
    /// <returns>False when it is no backend, that of several services, or one whose service's address or port cannot be told by it.</returns>
    public bool TryFind(in FlowKey key, out Place found)
    {
        bool isFound = _places.TryFind(key.SourceHigh, key.SourceLow, EndpointMap<Place>.Pack(key.SourcePort, key.Protocol, key.Family), out found);
        if (_hasKept && _places.TryFind(key.SourceHigh, key.SourceLow, EndpointMap<Place>.Pack(0, key.Protocol, key.Family), out Place kept)
            && kept.Ports.Contains(key.SourcePort))
        {
            // With both it might come from either.
            kept.IsClear &= !isFound;
            (isFound, found) = (true, kept);
            found.Ports = new PortRange(key.SourcePort, key.SourcePort);
        }

        return isFound && found.IsClear;
    }

    private void Add(ServiceSpec service, BackendRuntime backend)
    {
        ref Place place = ref _places.Add(backend.Address, backend.Port, service.Protocol, out bool isNew);
        if (!isNew)
        {
            // That of two services: without a flow nobody could say which of them a packet comes from.
            place.IsClear = false;
            place.Ports = new PortRange(Math.Min(place.Ports.First, service.Ports.First), Math.Max(place.Ports.Last, service.Ports.Last));
            return;
        }

        place = new Place
        {
            Service = service.Address,
            Ports = service.Ports,
            Slot = backend.Slot,
            IsClear = service.IsOneAddress && (service.IsOnePort || backend.Port == 0),
        };
    }

    /// <summary>A backend.</summary>
    public struct Place
    {
        /// <summary>Address of its service.</summary>
        public IpAddress Service;

        /// <summary>Slot of the backend.</summary>
        public int Slot;

        /// <summary>Ports of its service: once found, the one that the packet is to come from.</summary>
        public PortRange Ports;

        /// <summary>Whether the backend stands for one address and port of one service.</summary>
        public bool IsClear;
    }
}
