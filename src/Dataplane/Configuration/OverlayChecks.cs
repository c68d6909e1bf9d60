using System.Globalization;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Switching;

namespace Dataplane.Configuration;

/// <summary>The rules for overlays and what is attached elsewhere.</summary>
internal static class OverlayChecks
{
    /// <summary>Checks the overlay of one network, and that the ports of its endpoints are none of overlays.</summary>
    public static void Check(Checks checks, DataplaneSpec spec, NetworkSpec network, string path, Dictionary<string, string> ports, HashSet<string> withInterface,
        NetworkNamesSeen seen)
    {
        for (int index = 0; index < (network.Endpoints?.Count ?? 0); index++)
        {
            if (network.Endpoints![index] is { Port: { } port } && seen.Tunnels.Contains(port))
            {
                checks.Error($"{ConfigPath.Index($"{path}.endpoints", index)}.port", "is of kind vxlan, which leads to endpoints at other hosts: list those under overlay", port);
            }
        }

        if (network.Overlay is not { } overlay)
        {
            return;
        }

        path = $"{path}.overlay";
        CheckPort(checks, spec, overlay, path, ports, withInterface);
        checks.Range($"{path}.vni", overlay.Vni, SpecLimits.Vni);
        checks.Range($"{path}.udp_port", overlay.UdpPort, SpecLimits.TransportPort);
        IReadOnlyList<IpAddress>? peers = overlay.Peers;
        if (overlay.Links is { Count: 0 })
        {
            CheckLocal(checks, spec, overlay, path);
            CheckPeers(checks, spec, overlay, path);
        }
        else
        {
            peers = CheckLinks(checks, spec, overlay, path, ports, withInterface);
        }

        foreach ((RemoteEndpointSpec endpoint, string at, _) in checks.Each(overlay.Endpoints, $"{path}.endpoints"))
        {
            checks.Name($"{at}.name", endpoint.Name, seen.Names);
            NetworkChecks.CheckMac(checks, network, endpoint.Mac, at, seen);
            NetworkChecks.CheckAddresses(checks, network, endpoint.Mac, endpoint.Addresses, at);
            if (peers?.Contains(endpoint.Peer) != true)
            {
                checks.Error($"{at}.peer", "is not among the peers of the overlay", endpoint.Peer.IsNone ? null : endpoint.Peer.ToString());
            }
        }
    }

    /// <summary>An identifier leads to one network.</summary>
    public static void CheckIdentifiers(Checks checks, DataplaneSpec spec)
    {
        var seen = new Dictionary<(IpAddress Local, int UdpPort, int Vni), string>();
        for (int index = 0; index < (spec.Networks?.Count ?? 0); index++)
        {
            string path = $"{ConfigPath.Index("networks", index)}.overlay.vni";
            if (spec.Networks![index]?.Overlay is { } overlay && !seen.TryAdd((overlay.Local, overlay.UdpPort, overlay.Vni), path))
            {
                checks.Error(path, $"is {seen[(overlay.Local, overlay.UdpPort, overlay.Vni)]} already, at the same address and UDP port; each network has its own",
                    overlay.Vni.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    private static void CheckPort(Checks checks, DataplaneSpec spec, OverlaySpec overlay, string path, Dictionary<string, string> ports, HashSet<string> withInterface)
    {
        path = $"{path}.port";
        if (!checks.IsPort(path, overlay.Port))
        {
            return;
        }

        // Ports that code brings its own factory for may stand for any kind: explaining and replaying put memory in its place.
        bool isOther = spec.Ports.Any(port => port is not null && port.Name == overlay.Port && port.Kind != PortKind.Vxlan && port.Factory is null);
        string? problem = isOther ? "is not of kind vxlan; the way to other hosts is a port of that kind"
            : withInterface.Contains(overlay.Port) ? "has an interface; an overlay's port has its addresses from the network: remove one of the two"
            : !ports.TryAdd(overlay.Port, path) ? $"is the port of {ports[overlay.Port]} already; each overlay has its own" : null;
        if (problem is not null)
        {
            checks.Error(path, problem, overlay.Port);
        }
    }

    private static void CheckLocal(Checks checks, DataplaneSpec spec, OverlaySpec overlay, string path)
    {
        if (!checks.Host($"{path}.local", overlay.Local))
        {
            return;
        }

        if (!(spec.Interfaces ?? []).Any(entry => entry is not null && entry.Address.Address == overlay.Local) || ConnectedPrefixes.IsLinkScoped(overlay.Local))
        {
            checks.Error($"{path}.local", "is not the address of an interface; tunnels end at one of the engine's own, and not at a link-local one", overlay.Local.ToString());
        }

        foreach ((Balancing.ServiceSpec service, string _, int index) in (spec.Services ?? []).Select((service, index) => (service, "", index)))
        {
            if (service is not null && service.Protocol == IpProtocols.Udp && service.Serves(overlay.Local, overlay.UdpPort))
            {
                checks.Error($"{path}.udp_port", $"is that of {ConfigPath.Index("services", index)}; tunnels and a service cannot share a port",
                    overlay.UdpPort.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    /// <returns>The peers that links lead to.</returns>
    private static List<IpAddress> CheckLinks(
        Checks checks, DataplaneSpec spec, OverlaySpec overlay, string path, Dictionary<string, string> ports, HashSet<string> withInterface)
    {
        var peers = new List<IpAddress>();
        var used = new HashSet<string>();
        if (!overlay.Local.IsNone || overlay.Peers is not { Count: 0 })
        {
            checks.Error($"{path}.{(overlay.Local.IsNone ? "peers" : "local")}", "belongs to tunnels, and there are links: remove one of the two",
                overlay.Local.IsNone ? null : overlay.Local.ToString());
        }

        if (overlay.Links?.Count > SpecLimits.MaxPeers)
        {
            checks.Error($"{path}.links", string.Create(CultureInfo.InvariantCulture, $"has {overlay.Links.Count} links; {SpecLimits.MaxPeers} are allowed"));
        }

        foreach ((OverlayLinkSpec link, string at, _) in checks.Each(overlay.Links, $"{path}.links"))
        {
            if (checks.Host($"{at}.peer", link.Peer))
            {
                if (peers.Contains(link.Peer))
                {
                    checks.Error($"{at}.peer", "is listed twice; each link leads to another host", link.Peer.ToString());
                }

                peers.Add(link.Peer);
            }

            if (checks.IsPort($"{at}.port", link.Port) && ProblemOf(spec, link.Port, at, ports, withInterface, used) is { } problem)
            {
                checks.Error($"{at}.port", problem, link.Port);
            }
        }

        return peers;
    }

    private static string? ProblemOf(DataplaneSpec spec, string port, string path, Dictionary<string, string> ports, HashSet<string> withInterface, HashSet<string> used)
    {
        const string InLinks = ".overlay.links";
        bool isOther = spec.Ports.Any(known => known is not null && known.Name == port && known.Kind != PortKind.Stream && known.Factory is null);
        return isOther ? "is not of kind stream; a link to another host is a port of that kind"
            : withInterface.Contains(port) ? "has an interface; a link carries the frames of networks and nothing else: remove one of the two"
            : !used.Add(port) ? "is that of another link of this network; each host has its own"

            // Several networks may go by one link, but endpoints and other ends have their ports to themselves.
            : !ports.TryAdd(port, path) && !ports[port].Contains(InLinks, StringComparison.Ordinal) ? $"is the port of {ports[port]} already" : null;
    }

    private static void CheckPeers(Checks checks, DataplaneSpec spec, OverlaySpec overlay, string path)
    {
        path = $"{path}.peers";
        if (overlay.Peers is null || overlay.Peers.Count > SpecLimits.MaxPeers)
        {
            checks.Error(path, overlay.Peers is null ? "is null; an empty list is allowed"
                : string.Create(CultureInfo.InvariantCulture, $"has {overlay.Peers.Count} addresses; {SpecLimits.MaxPeers} are allowed"));
            return;
        }

        var seen = new HashSet<IpAddress>();
        for (int index = 0; index < overlay.Peers.Count; index++)
        {
            IpAddress peer = overlay.Peers[index];
            string at = ConfigPath.Index(path, index);
            if (!checks.Host(at, peer))
            {
                continue;
            }

            string? problem = !overlay.Local.IsNone && peer.Family != overlay.Local.Family ? "is of another family than local"
                : peer.IsLinkLocal ? "is a link-local address, which says nothing of the link"
                : checks.OwnerOf(peer, default) is { } owner ? $"is the engine's own address ({owner})"
                : (spec.Networks ?? []).Any(network => (network?.Subnets ?? []).Any(subnet => !subnet.Address.IsNone && subnet.Contains(peer)))
                    ? "lies in the subnet of a network; tunnels end outside of what they carry"
                : !seen.Add(peer) ? "is listed twice" : null;
            if (problem is not null)
            {
                checks.Error(at, problem, peer.ToString());
            }
        }
    }
}
