using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Switching;

/// <summary>All networks in force. Immutable.</summary>
internal sealed class BridgeTable
{
    private readonly Station?[] _byPort;
    private readonly Overlay?[] _overlays;
    private readonly StationMap _byMac;
    private readonly StationMap _v4;
    private readonly StationMap _v6;

    /// <param name="networks">The networks.</param>
    /// <param name="stations">Who is attached here.</param>
    /// <param name="remotes">Who is attached at other hosts.</param>
    /// <param name="overlays">The ways to these.</param>
    /// <param name="ports">One more than the highest identifier of a port.</param>
    public BridgeTable(Bridge[] networks, Station[] stations, Station[] remotes, Overlay[] overlays, int ports)
    {
        Networks = networks;
        Stations = stations;
        Remotes = remotes;
        Overlays = overlays.Length == 0 ? OverlayTable.Empty : new OverlayTable(overlays, ports);
        int count = stations.Length + remotes.Length;
        Advertises = Array.Exists(stations, station => station.Advertisements is not null);
        _byPort = new Station?[ports];
        _overlays = new Overlay?[networks.Length];
        _byMac = new StationMap(count);
        _v4 = new StationMap(count);
        _v6 = new StationMap(count * 2);
        foreach (Overlay overlay in overlays)
        {
            _byPort[overlay.Trunk.Interface.Port] = overlay.Trunk;
            _overlays[overlay.Network.Index] = overlay;
        }

        foreach (Station station in stations)
        {
            _byPort[station.Interface.Port] = station;
        }

        foreach (Station station in stations.Concat(remotes))
        {
            _byMac.Add((ulong)station.Network.Index, station.Mac, station);

            // Link-local addresses mean something in their network only; frames to them are switched.
            foreach (IpAddress address in station.Addresses.Where(address => !(address.IsIpv6 && address.IsLinkLocal)))
            {
                (address.IsIpv4 ? _v4 : _v6).Add(address.High, address.Low, station);
            }
        }
    }

    public static BridgeTable Empty { get; } = new([], [], [], [], 0);

    public Bridge[] Networks { get; }

    /// <summary>Whether anybody is told of its router.</summary>
    public bool Advertises { get; }

    /// <summary>Who is attached here.</summary>
    public Station[] Stations { get; }

    /// <summary>Who is attached at other hosts.</summary>
    public Station[] Remotes { get; }

    /// <summary>The ways to other hosts.</summary>
    public OverlayTable Overlays { get; }

    public bool IsEmpty => Networks.Length == 0;

    /// <summary>The overlay of a network, or null.</summary>
    public Overlay? OverlayOf(Bridge network) => _overlays[network.Index];

    /// <summary>The endpoint behind a port, or the trunk that stands for those behind an overlay's, or null.</summary>
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
