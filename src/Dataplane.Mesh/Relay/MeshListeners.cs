using System.Net;
using Dataplane.Mesh.Services;
using Dataplane.Packets;

namespace Dataplane.Mesh.Relay;

/// <summary>Makes listeners of the services of a mesh that relays carry.</summary>
internal static class MeshListeners
{
    private const int MaxWeight = 1000;

    public static IEnumerable<ListenerSpec> Of(RelayMeshSpec wanted, MeshRelaySpec mesh, IReadOnlyList<CarriedPort> ports)
    {
        if (wanted.Outbound)
        {
            foreach (IpAddress address in mesh.Outbound)
            {
                foreach (CarriedPort port in ports)
                {
                    yield return Outbound(port, address, mesh);
                }
            }
        }

        for (int i = 0; i < wanted.Inbound.Count; i++)
        {
            yield return Inbound(wanted.Inbound[i], i, wanted, mesh, ports);
        }
    }

    /// <summary>Plain connections of clients for one port of a service, to the relays before its endpoints.</summary>
    private static ListenerSpec Outbound(CarriedPort port, IpAddress address, MeshRelaySpec mesh) => new()
    {
        Name = address.IsIpv6 ? port.Name[..Math.Min(port.Name.Length, 29)] + ".v6" : port.Name,
        Kind = ListenerKind.Outbound,
        Listen = new IPEndPoint(Of(address), port.RelayPort),
        IsOfMesh = true,
        Routes =
        [
            new RouteSpec
            {
                // Two endpoints at one address, at two ports, have one relay before them.
                Endpoints = [.. port.Endpoints.GroupBy(endpoint => endpoint.Address).Select(at => new EndpointSpec
                {
                    Address = new IPEndPoint(Of(at.Key), mesh.InboundPort),
                    Weight = Math.Clamp(at.Sum(endpoint => endpoint.Weight), 1, MaxWeight),
                })],
                Connect = UpstreamKind.Mutual,
                Peers = [port.Peer],
                ServerName = port.ServerName,
            },
        ],
    };

    /// <summary>Connections of other relays for what serves at one address, by the name that they ask for.</summary>
    private static ListenerSpec Inbound(IPAddress address, int index, RelayMeshSpec wanted, MeshRelaySpec mesh, IReadOnlyList<CarriedPort> ports)
    {
        IpAddress own = IpAddress.Parse(address.ToString());
        return new ListenerSpec
        {
            Name = $"mesh-in{(index == 0 ? "" : $"-{index + 1}")}",
            Kind = ListenerKind.Inbound,
            Listen = new IPEndPoint(address, mesh.InboundPort),
            IsOfMesh = true,
            Routes = [.. ports.Select(port => (port, Here: port.Endpoints.Where(endpoint => endpoint.Address == own).ToArray())).Where(pair => pair.Here.Length > 0).Select(pair => new RouteSpec
            {
                Name = pair.port.Name,
                ServerNames = [pair.port.ServerName],
                Endpoints = [.. pair.Here.Select(endpoint => new EndpointSpec
                {
                    Address = new IPEndPoint(wanted.Application ?? address, endpoint.Port),
                    Weight = Math.Clamp(endpoint.Weight, 1, MaxWeight),
                }).Distinct()],
            })],
        };
    }

    private static IPAddress Of(IpAddress address) => IPAddress.Parse(address.ToString());
}
