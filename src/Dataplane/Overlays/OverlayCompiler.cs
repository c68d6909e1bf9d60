using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;

namespace Dataplane.Overlays;

/// <summary>Makes the overlay of a network, and the stations that are behind it. Control side.</summary>
internal static class OverlayCompiler
{
    /// <summary>Makes the overlay, and appends the one interface that leads to all endpoints elsewhere.</summary>
    /// <param name="network">The network, which has an overlay.</param>
    /// <param name="ports">The open ports.</param>
    /// <param name="shared">What interfaces of the network have in common.</param>
    /// <param name="interfaces">All interfaces so far.</param>
    /// <param name="remotes">Where the stations are added.</param>
    public static Overlay Compile(Bridge network, PortSet ports, L3Interface shared, List<L3Interface> interfaces, List<Station> remotes)
    {
        OverlaySpec spec = network.Spec.Overlay!;
        ushort[] links = [.. spec.Links.Select(link => (ushort)ports.IdOf(link.Port))];
        L3Interface? underlay = links.Length > 0 ? null : OverlayTable.InterfaceOf(interfaces, spec.Local)!;
        int id = ports.IdOf(spec.Port);
        var all = new EndpointSpec
        {
            Name = "overlay",
            Port = spec.Port,
            Mac = network.Spec.GatewayMac,
            Addresses = [.. spec.Endpoints.SelectMany(endpoint => endpoint.Addresses)],
        };
        var trunk = new Station(all, network) { Counters = new StationCounters(), IsTrunk = true };

        // A frame of a link port is its MTU and a link header long; what is carried needs the identifier before its own.
        int room = underlay is null ? links.Min(link => ports.ById[link]!.Mtu) - Vxlan.HeaderBytes : underlay.Mtu - Vxlan.OverheadBytes(spec.Local) - Vxlan.LinkBytes;
        trunk.Interface = shared.ForStation(trunk, (short)interfaces.Count, (ushort)id, Math.Min(room, Math.Min(network.Spec.Mtu, ports.ById[id]!.Mtu)));
        bool isNowhereNarrower = underlay is not null && interfaces.TrueForAll(entry => entry.Station is not null || entry.Mtu >= underlay.Mtu);
        interfaces.Add(trunk.Interface);
        var overlay = new Overlay(spec, trunk, underlay, ports.ById[id] as OverlayPort, links)
        {
            TakesSuperFrames = isNowhereNarrower,
            JoinsSegments = network.Spec.Endpoints.Any(endpoint => TakesSuperFrames(ports, endpoint.Port)),
        };
        foreach (RemoteEndpointSpec endpoint in spec.Endpoints)
        {
            var facts = new EndpointSpec { Name = endpoint.Name, Port = spec.Port, Mac = endpoint.Mac, Addresses = endpoint.Addresses };
            remotes.Add(new Station(facts, network)
            {
                Counters = trunk.Counters,
                Peer = (short)overlay.FindPeer(endpoint.Peer.High, endpoint.Peer.Low),
                Interface = trunk.Interface,
            });
        }

        return overlay;
    }

    private static bool TakesSuperFrames(PortSet ports, string name) =>
        ports.IdOf(name) is >= 0 and int id && ports.ById[id] is { } port && (port.Offloads & FrameOffloads.Tcp) != 0;
}
