using System.Globalization;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Xds;

/// <summary>What clusters and assignments mean as services and endpoints of a mesh. What has not changed is not made again: of thousands of clusters one changes at a time.</summary>
internal sealed class XdsTables
{
    private readonly SourceBook _book = new();
    private ILookup<string, Cluster> _byAssignment = Array.Empty<Cluster>().ToLookup(cluster => "");
    private ILookup<(string, string), Cluster> _byService = Array.Empty<Cluster>().ToLookup(cluster => ("", ""));

    private sealed record Cluster(ClusterName Name, XdsCluster Said)
    {
        public (string, string) Service => (Name.Namespace, Name.Service);
    }

    /// <summary>The services; the same object until one of them changes.</summary>
    public IReadOnlyList<MeshServiceSpec> Services => _book.Services;

    /// <summary>The endpoints.</summary>
    public EndpointSet Endpoints => _book.Endpoints;

    /// <summary>The clusters that were left out, with the reason.</summary>
    public IReadOnlyList<string> LeftOut => _book.Problems;

    /// <summary>Takes all clusters there are. One whose endpoints have not come yet is not there yet.</summary>
    /// <param name="clusters">The clusters, in the order of their names.</param>
    /// <param name="assignments">Assignments by name.</param>
    public void Take(IReadOnlyCollection<XdsCluster> clusters, IReadOnlyDictionary<string, XdsAssignment> assignments)
    {
        var understood = new List<Cluster>();
        var wrong = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (XdsCluster cluster in clusters)
        {
            if (!ClusterName.TryParse(cluster.Name, out ClusterName name))
            {
                wrong[PartOf(cluster)] = $"cluster {cluster.Name}: its name means no service: SERVICE, NAMESPACE/SERVICE, with :PORT behind, or outbound|PORT||SERVICE.NAMESPACE.svc.DOMAIN is understood";
            }
            else if (!cluster.IsKnown)
            {
                wrong[PartOf(cluster)] = $"cluster {cluster.Name}: its endpoints are neither its own (STATIC) nor the server's (EDS)";
            }
            else
            {
                understood.Add(new Cluster(name, cluster));
            }
        }

        _byAssignment = understood.Where(cluster => cluster.Said.Assignment is not null).ToLookup(cluster => cluster.Said.Assignment!, StringComparer.Ordinal);
        _byService = understood.Where(cluster => cluster.Name.Port != 0).ToLookup(cluster => cluster.Service);
        _book.RemoveAllBut(understood.Select(cluster => PartOf(cluster.Said)).Concat(_byService.Select(group => PartOf(group.Key))).ToHashSet(StringComparer.Ordinal));
        foreach ((string part, string problem) in wrong)
        {
            _book.Complain(part, [problem]);
        }

        Make(understood, assignments);
    }

    /// <summary>Takes what has changed of the assignments.</summary>
    /// <param name="changed">Their names.</param>
    /// <param name="assignments">Assignments by name.</param>
    public void Take(IEnumerable<string> changed, IReadOnlyDictionary<string, XdsAssignment> assignments) => Make([.. changed.SelectMany(name => _byAssignment[name])], assignments);

    private void Make(IReadOnlyCollection<Cluster> clusters, IReadOnlyDictionary<string, XdsAssignment> assignments)
    {
        foreach (Cluster cluster in clusters)
        {
            _book.Put(PartOf(cluster.Said), [], AssignmentOf(cluster, assignments) is { } assignment ? EndpointsOf(cluster.Name, assignment) : []);
        }

        foreach ((string, string) key in clusters.Select(cluster => cluster.Service).Distinct())
        {
            MeshServiceSpec? service = null;
            foreach (Cluster cluster in _byService[key])
            {
                service = AssignmentOf(cluster, assignments) is { } assignment ? With(service, cluster.Name, cluster.Said, assignment) : service;
            }

            _book.Put(PartOf(key), service is null ? [] : [service], []);
        }
    }

    private static XdsAssignment? AssignmentOf(Cluster cluster, IReadOnlyDictionary<string, XdsAssignment> assignments) => cluster.Said.Own ?? assignments.GetValueOrDefault(cluster.Said.Assignment!);

    private static string PartOf(XdsCluster cluster) => $"cluster {cluster.Name}";

    private static string PartOf((string Namespace, string Service) key) => $"service {key.Namespace}/{key.Service}";

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
