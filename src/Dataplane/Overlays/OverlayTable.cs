using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Overlays;

/// <summary>All overlays in force. Immutable.</summary>
internal sealed class OverlayTable
{
    private readonly Overlay?[] _byPort;
    private readonly (IpAddress Local, ushort Port)[] _sockets;
    private readonly OverlayMap _byVni;
    private readonly OverlayMap _peers;
    private readonly ushort[] _udpPorts;

    /// <summary>By port: whether it leads to another host; and which network and peer a port and an identifier mean.</summary>
    private readonly bool[] _isLink;
    private readonly OverlayMap _byLink;
    private readonly (Overlay Overlay, short Peer)[] _linkEnds;

    public OverlayTable(Overlay[] overlays, int ports)
    {
        All = overlays;
        _byPort = new Overlay?[ports];
        Overlay[] tunnelled = [.. overlays.Where(overlay => !overlay.IsLinked)];
        _sockets = [.. tunnelled.Select(overlay => (overlay.Spec.Local, (ushort)overlay.Spec.UdpPort)).Distinct()];
        _udpPorts = [.. _sockets.Select(socket => socket.Port).Distinct()];
        _byVni = new OverlayMap(overlays.Length);
        _peers = new OverlayMap(tunnelled.Sum(overlay => overlay.Peers.Length));
        _isLink = new bool[ports];
        _linkEnds = [.. overlays.SelectMany(overlay => overlay.Links.Select((_, peer) => (overlay, (short)peer)))];
        _byLink = new OverlayMap(_linkEnds.Length);
        for (int index = 0; index < _linkEnds.Length; index++)
        {
            (Overlay overlay, short peer) = _linkEnds[index];
            _isLink[overlay.Links[peer]] = true;
            _byLink.Add(overlay.Links[peer], (ulong)overlay.Spec.Vni, index);
        }

        for (int index = 0; index < overlays.Length; index++)
        {
            Overlay overlay = overlays[index];
            _byPort[overlay.Trunk.Interface.Port] = overlay;
            if (overlay.IsLinked)
            {
                continue;
            }

            _byVni.Add((ulong)Array.IndexOf(_sockets, (overlay.Spec.Local, (ushort)overlay.Spec.UdpPort)), (ulong)overlay.Spec.Vni, index);
            foreach (IpAddress peer in overlay.Peers)
            {
                _peers.Add(peer.High, peer.Low, 0);
            }
        }
    }

    public static OverlayTable Empty { get; } = new([], 0);

    public Overlay[] All { get; }

    public bool IsEmpty => All.Length == 0;

    /// <summary>The longest outer frame, link header and VLAN tag included.</summary>
    public int MaxFrameBytes => IsEmpty ? 0 : All.Max(overlay => overlay.OuterBytes + Vxlan.LinkBytes + overlay.Trunk.Interface.Mtu) + 4;

    /// <summary>The overlay behind a port, or null.</summary>
    public Overlay? OfPort(int port) => (uint)port < (uint)_byPort.Length ? _byPort[port] : null;

    /// <summary>Whether a port leads to another host, for the networks that go by it.</summary>
    public bool IsLink(int port) => (uint)port < (uint)_isLink.Length && _isLink[port];

    /// <summary>The network that an identifier means to the host behind a port, and the host's number among its peers; null when that host has no such network.</summary>
    public Overlay? FindByLink(int port, int vni, out short peer)
    {
        int index = _byLink.Find((ulong)port, (ulong)vni);
        (Overlay? overlay, peer) = index >= 0 ? _linkEnds[index] : default;
        return overlay;
    }

    /// <summary>Whether a UDP port is one that tunnels end at, at whatever address.</summary>
    public bool IsTunnelPort(ushort port)
    {
        foreach (ushort known in _udpPorts)
        {
            if (known == port)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The number of the tunnels' end that an address and UDP port are, or -1.</summary>
    public int FindSocket(IpAddress address, ushort port)
    {
        for (int index = 0; index < _sockets.Length; index++)
        {
            if (_sockets[index].Port == port && _sockets[index].Local == address)
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>The overlay of an identifier at an end of tunnels, or null.</summary>
    public Overlay? Find(int socket, int vni) => _byVni.Find((ulong)socket, (ulong)vni) is >= 0 and int index ? All[index] : null;

    /// <summary>Whether an address is the other end of a tunnel.</summary>
    public bool IsPeer(IpAddress address) => _peers.Find(address.High, address.Low) >= 0;

    /// <summary>Whether an address, protocol and port are for tunnels, and no translated flow may have them.</summary>
    public bool Reserves(IpAddress address, ushort port, byte protocol) =>
        _sockets.Length != 0 && protocol == IpProtocols.Udp && FindSocket(address, port) >= 0;

    /// <summary>The interface that has an address.</summary>
    public static L3Interface? InterfaceOf(IEnumerable<L3Interface> interfaces, IpAddress address) =>
        interfaces.FirstOrDefault(entry => entry.Station is null && entry.Addresses.Any(prefix => prefix.Address == address));
}
