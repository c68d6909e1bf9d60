using System.Globalization;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Xds;

/// <summary>What clusters and assignments mean as services and endpoints of a mesh. What has not changed is not made again: of thousands of clusters one changes at a time.</summary>
internal sealed class XdsTables
{
    private Dictionary<string, Made> _made = new(StringComparer.Ordinal);
    private Dictionary<(string, string), MeshServiceSpec> _services = [];

    private sealed record Made(XdsCluster Cluster, XdsAssignment Assignment, IReadOnlyList<MeshEndpointSpec> Endpoints);

    /// <summary>Makes them. A cluster whose endpoints have not come yet is not there yet.</summary>
    /// <param name="clusters">All clusters, in the order of their names.</param>
    /// <param name="assignments">Assignments by name.</param>
    /// <returns>Services, endpoints, and the clusters that were left out, with the reason.</returns>
    public (IReadOnlyList<MeshServiceSpec> Services, IReadOnlyList<MeshEndpointSpec> Endpoints, IReadOnlyList<string> LeftOut) Make(
        IEnumerable<XdsCluster> clusters, IReadOnlyDictionary<string, XdsAssignment> assignments)
    {
        var made = new Dictionary<string, Made>(StringComparer.Ordinal);
        var services = new Dictionary<(string, string), MeshServiceSpec>();
        var endpoints = new List<MeshEndpointSpec>();
        var leftOut = new List<string>();
        foreach (XdsCluster cluster in clusters)
        {
            if (!ClusterName.TryParse(cluster.Name, out ClusterName name))
            {
                leftOut.Add($"cluster {cluster.Name}: its name means no service: SERVICE, NAMESPACE/SERVICE, with :PORT behind, or outbound|PORT||SERVICE.NAMESPACE.svc.DOMAIN is understood");
                continue;
            }

            if (!cluster.IsKnown)
            {
                leftOut.Add($"cluster {cluster.Name}: its endpoints are neither its own (STATIC) nor the server's (EDS)");
                continue;
            }

            if ((cluster.Own ?? assignments.GetValueOrDefault(cluster.Assignment!)) is not { } assignment)
            {
                continue;
            }

            Made one = _made.TryGetValue(cluster.Name, out Made? known) && ReferenceEquals(known.Cluster, cluster) && ReferenceEquals(known.Assignment, assignment)
                ? known : new Made(cluster, assignment, EndpointsOf(name, assignment));
            made[cluster.Name] = one;
            endpoints.AddRange(one.Endpoints);
            if (name.Port != 0)
            {
                services[(name.Namespace, name.Service)] = With(services.GetValueOrDefault((name.Namespace, name.Service)), name, cluster, assignment);
            }
        }

        foreach ((var key, MeshServiceSpec service) in services)
        {
            if (_services.TryGetValue(key, out MeshServiceSpec? known) && known.Balance == service.Balance && known.Ports.SequenceEqual(service.Ports))
            {
                services[key] = known;
            }
        }

        (_made, _services) = (made, services);
        return ([.. services.Values], endpoints, leftOut);
    }

    /// <summary>A service with one more port. Clusters of Istio are one for each port; each endpoint serves that of its cluster only.</summary>
    private static MeshServiceSpec With(MeshServiceSpec? service, ClusterName name, XdsCluster cluster, XdsAssignment assignment)
    {
        var port = new MeshPortSpec { Port = name.Port, TargetPort = PortName(name.Port), Protocol = assignment.Endpoints.Count > 0 ? assignment.Endpoints[0].Protocol : (byte)6 };
        return service is null
            ? new MeshServiceSpec { Name = name.Service, Namespace = name.Namespace, Ports = [port], Balance = cluster.Balance }
            : service with { Ports = [.. service.Ports.Append(port).DistinctBy(one => one.Port).Select(one => one with { Name = PortName(one.Port) })] };
    }

    private static MeshEndpointSpec[] EndpointsOf(ClusterName name, XdsAssignment assignment)
    {
        // The first priority that has an endpoint which is well; the others wait for it to have none.
        uint priority = assignment.Endpoints.Where(IsWell).Select(endpoint => endpoint.Priority).DefaultIfEmpty(uint.MaxValue).Min();
        uint heaviest = assignment.Endpoints.Select(endpoint => endpoint.Weight).DefaultIfEmpty(1u).Max();
        string port = name.Port == 0 ? "" : PortName(name.Port);
        return [.. assignment.Endpoints.Select(endpoint => new MeshEndpointSpec
        {
            Address = endpoint.Address,
            Name = endpoint.Hostname,
            Namespace = name.Namespace,
            Service = name.Service,
            Ports = new Dictionary<string, ushort>(1) { [port] = endpoint.Port },
            Weight = heaviest <= ushort.MaxValue ? (int)endpoint.Weight : (int)Math.Max(1, (ulong)endpoint.Weight * ushort.MaxValue / heaviest),
            IsReady = IsWell(endpoint) && endpoint.Priority == priority,
            IsServing = endpoint.Health is XdsHealth.Degraded or XdsHealth.Draining,
            Labels = LabelsOf(endpoint.Place),
        })];
    }

    private static bool IsWell(XdsEndpoint endpoint) => endpoint.Health is XdsHealth.Unknown or XdsHealth.Healthy;

    /// <summary>Where an endpoint is, by the labels that nodes of Kubernetes have for it.</summary>
    private static Dictionary<string, string> LabelsOf(XdsLocality place)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string key, string? value) in new[] { ("topology.kubernetes.io/region", place.Region), ("topology.kubernetes.io/zone", place.Zone), ("topology.istio.io/subzone", place.SubZone) })
        {
            if (!string.IsNullOrEmpty(value))
            {
                labels[key] = value;
            }
        }

        return labels;
    }

    private static string PortName(ushort port) => string.Create(CultureInfo.InvariantCulture, $"p{port}");
}
