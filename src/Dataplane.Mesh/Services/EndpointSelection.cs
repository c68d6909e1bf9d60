using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Which endpoints serve a service, and at which port.</summary>
internal static class EndpointSelection
{
    /// <summary>All endpoints of a service, each address once: those it names, those that name it, those it chooses by their labels.</summary>
    public static IReadOnlyList<MeshEndpointSpec> Of(MeshServiceSpec service, EndpointIndex endpoints)
    {
        IEnumerable<MeshEndpointSpec> chosen = service.Selector.Count == 0 ? [] : endpoints.OfNamespace(service.Namespace).Where(endpoint => IsChosen(service, endpoint));
        return [.. service.Endpoints.Concat(endpoints.OfService(service)).Concat(chosen).DistinctBy(endpoint => (endpoint.Address, string.Join(',', endpoint.Ports.Values)))];
    }

    /// <summary>Those that take new flows: the ready ones; when there is none, those that still serve while they end (KEP-1672).</summary>
    public static IReadOnlyList<MeshEndpointSpec> Usable(MeshServiceSpec service, IReadOnlyList<MeshEndpointSpec> endpoints)
    {
        MeshEndpointSpec[] ready = [.. endpoints.Where(endpoint => endpoint.IsReady || service.PublishNotReady)];
        return ready.Length > 0 ? ready : [.. endpoints.Where(endpoint => endpoint.IsServing)];
    }

    /// <summary>The port at which an endpoint serves a port of the service; 0 when it does not.</summary>
    public static ushort PortOf(MeshServiceSpec service, MeshPortSpec port, MeshEndpointSpec endpoint)
    {
        if (endpoint.Ports.TryGetValue(port.Name, out ushort own) || (service.Ports.Count == 1 && endpoint.Ports.TryGetValue("", out own)))
        {
            return own;
        }

        if (port.TargetPort.Length == 0)
        {
            return port.Port;
        }

        return ushort.TryParse(port.TargetPort, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) ? number : endpoint.Ports.GetValueOrDefault(port.TargetPort);
    }

    /// <summary>Backends of one port at an address of one family.</summary>
    public static IReadOnlyList<BackendSpec> Backends(MeshServiceSpec service, MeshPortSpec port, IpFamily family, IReadOnlyList<MeshEndpointSpec> usable) =>
        [.. usable.Where(endpoint => endpoint.Address.Family == family).Select(endpoint => (endpoint, Port: PortOf(service, port, endpoint))).Where(pair => pair.Port != 0)
            .DistinctBy(pair => (pair.endpoint.Address, pair.Port))
            .Select(pair => new BackendSpec { Address = pair.endpoint.Address, Port = pair.Port, Weight = pair.endpoint.Weight })];

    /// <summary>Whether a service chooses an endpoint of its name space by its labels.</summary>
    public static bool IsChosen(MeshServiceSpec service, MeshEndpointSpec endpoint)
    {
        foreach ((string key, string value) in service.Selector)
        {
            if (!endpoint.Labels.TryGetValue(key, out string? own) || own != value)
            {
                return false;
            }
        }

        return service.Selector.Count > 0;
    }
}
