using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Switching;

/// <summary>All networks in force. Immutable.</summary>
internal sealed class BridgeTable
{
    private readonly Station?[] _byPort;
    private readonly StationMap _byMac;
    private readonly StationMap _v4;
    private readonly StationMap _v6;

    public BridgeTable(Bridge[] networks, Station[] stations, int ports)
    {
        Networks = networks;
        Stations = stations;
        _byPort = new Station?[ports];
        _byMac = new StationMap(stations.Length);
        _v4 = new StationMap(stations.Length);
        _v6 = new StationMap(stations.Length * 2);
        foreach (Station station in stations)
        {
            _byPort[station.Interface.Port] = station;
            _byMac.Add((ulong)station.Network.Index, station.Mac, station);

            // Link-local addresses mean something in their network only; frames to them are switched.
            foreach (IpAddress address in station.Addresses.Where(address => !(address.IsIpv6 && address.IsLinkLocal)))
            {
                (address.IsIpv4 ? _v4 : _v6).Add(address.High, address.Low, station);
            }
        }
    }

    public static BridgeTable Empty { get; } = new([], [], 0);

    public Bridge[] Networks { get; }

    public Station[] Stations { get; }

    public bool IsEmpty => Networks.Length == 0;

    /// <summary>The endpoint behind a port, or null.</summary>
    public Station? OfPort(int port) => (uint)port < (uint)_byPort.Length ? _byPort[port] : null;

    /// <summary>The endpoint of a network that has a hardware address, or null.</summary>
    public Station? Find(Bridge network, ulong mac) => _byMac.Find((ulong)network.Index, mac);

    /// <summary>The endpoint that has an address, or null. Link-local ones are not asked for here.</summary>
    public Station? Find(IpAddress address) => address.IsIpv4 ? _v4.Find(0, address.Low) : _v6.Find(address.High, address.Low);

    /// <summary>The endpoint of a network that has a link-local address: it is made from the hardware address, and leads back to it (RFC 4291 2.5.1).</summary>
    public Station? FindLinkLocal(Bridge network, IpAddress address)
    {
        ulong identifier = address.Low ^ 0x0200_0000_0000_0000;
        Station? station = (identifier >> 24 & 0xFFFF) == 0xFFFE ? Find(network, (identifier >> 40 << 24) | (identifier & 0xFF_FFFF)) : null;
        return station is not null && station.Has(address) ? station : null;
    }

    /// <summary>The number of a network, -1 when there is none of the name.</summary>
    public int IndexOf(string name) => Array.FindIndex(Networks, network => network.Spec.Name == name);
}
