using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Finds the service a packet is for: an open-addressed hash by destination, port and protocol. Immutable.</summary>
internal sealed class ServiceTable
{
    private readonly Place[] _places;
    private readonly uint _mask;
    private readonly HashSet<IpAddress> _addresses;

    public ServiceTable(ServiceRuntime[] services)
    {
        Services = services;
        _addresses = [.. services.Select(service => service.Spec.Address)];
        _mask = BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, services.Length * 4)) - 1;
        _places = new Place[_mask + 1];
        foreach (ServiceRuntime service in services)
        {
            ServiceSpec spec = service.Spec;
            ulong transport = Pack(spec.Port, spec.Protocol, (byte)spec.Address.Family);
            uint at = PlaceOf(spec.Address.High, spec.Address.Low, transport);
            while (_places[at].Service is not null)
            {
                at = (at + 1) & _mask;
            }

            _places[at] = new Place { High = spec.Address.High, Low = spec.Address.Low, Transport = transport, Service = service };
        }
    }

    public ServiceRuntime[] Services { get; }

    public bool IsEmpty => Services.Length == 0;

    /// <summary>The service of a packet, or null.</summary>
    public ServiceRuntime? Find(in FlowKey key)
    {
        ulong transport = Pack(key.DestinationPort, key.Protocol, key.Family);
        uint at = PlaceOf(key.DestinationHigh, key.DestinationLow, transport);
        while (true)
        {
            ref readonly Place place = ref _places[at];
            if (place.Service is null)
            {
                return null;
            }

            if (place.Low == key.DestinationLow && place.Transport == transport && place.High == key.DestinationHigh)
            {
                return place.Service;
            }

            at = (at + 1) & _mask;
        }
    }

    /// <summary>True when a service has the address.</summary>
    public bool HasAddress(IpAddress address) => _addresses.Contains(address);

    /// <summary>Port, protocol and family as one number, never 0.</summary>
    public static ulong Pack(ushort port, byte protocol, byte family) => ((ulong)port << 16) | ((ulong)protocol << 8) | family;

    /// <summary>24 bits by which an address with its port and protocol is looked up.</summary>
    public static uint Mix(ulong high, ulong low, ulong transport) =>
        (uint)(((high ^ (low * 0x9E3779B97F4A7C15) ^ (transport * 0xBF58476D1CE4E5B9)) * 0x94D049BB133111EB) >> 40);

    private uint PlaceOf(ulong high, ulong low, ulong transport) => Mix(high, low, transport) & _mask;

    private struct Place
    {
        public ulong High;
        public ulong Low;
        public ulong Transport;
        public ServiceRuntime? Service;
    }
}
