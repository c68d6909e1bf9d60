using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Which service a backend's address, port and protocol stand for, where it is one only: what answers without a flow are translated by. Immutable.</summary>
internal sealed class ReturnTable
{
    private readonly Place[] _places;
    private readonly uint _mask;

    public ReturnTable(ServiceRuntime[] services)
    {
        ServiceRuntime[] translated = [.. services.Where(service => service.Spec.Forward == ForwardMode.Nat)];
        _mask = BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, translated.Sum(service => service.All.Length) * 2)) - 1;
        _places = new Place[_mask + 1];
        foreach (ServiceRuntime service in translated)
        {
            foreach (BackendRuntime backend in service.All)
            {
                Add(service.Spec, backend);
            }
        }
    }

    /// <summary>The service that packets from a backend are to come from.</summary>
    /// <param name="high">Upper half of the backend's address.</param>
    /// <param name="low">Lower half.</param>
    /// <param name="transport">Its port and protocol: <see cref="ServiceTable.Pack"/>.</param>
    /// <param name="found">Service and slot.</param>
    /// <returns>False when it is no backend, or that of several services.</returns>
    public bool TryFind(ulong high, ulong low, ulong transport, out Place found)
    {
        uint at = ServiceTable.Mix(high, low, transport) & _mask;
        for (; _places[at].Transport != 0; at = (at + 1) & _mask)
        {
            ref readonly Place place = ref _places[at];
            if (place.Transport == transport && place.Low == low && place.High == high)
            {
                found = place;
                return place.ServicePort != 0;
            }
        }

        found = default;
        return false;
    }

    private void Add(ServiceSpec service, BackendRuntime backend)
    {
        ulong transport = ServiceTable.Pack(backend.Port, service.Protocol, (byte)backend.Address.Family);
        uint at = ServiceTable.Mix(backend.Address.High, backend.Address.Low, transport) & _mask;
        for (; _places[at].Transport != 0; at = (at + 1) & _mask)
        {
            if (_places[at].Transport == transport && _places[at].Low == backend.Address.Low && _places[at].High == backend.Address.High)
            {
                // That of two services: without a flow nobody could say which of them a packet comes from.
                _places[at].ServicePort = 0;
                return;
            }
        }

        _places[at] = new Place
        {
            High = backend.Address.High,
            Low = backend.Address.Low,
            Transport = transport,
            Service = service.Address,
            ServicePort = service.Port,
            Slot = backend.Slot,
        };
    }

    /// <summary>A backend.</summary>
    public struct Place
    {
        public ulong High, Low, Transport;

        /// <summary>Address of its service.</summary>
        public IpAddress Service;

        /// <summary>Slot of the backend.</summary>
        public int Slot;

        /// <summary>Port of its service; 0 when there are several.</summary>
        public ushort ServicePort;
    }
}
