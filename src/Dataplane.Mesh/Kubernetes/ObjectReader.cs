using System.Globalization;
using Dataplane.Mesh.Configuration;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Services;
using Dataplane.Packets;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>Reads objects of Kubernetes: Service (v1), EndpointSlice (discovery.k8s.io/v1), Pod (v1) and lists of them; other kinds are passed over.</summary>
/// <remarks>What is not right is said with its place, and the rest still counts: one bad object must not take the others with it.</remarks>
/// <param name="origin">Where the objects come from, for problems: a file, or an object's name.</param>
internal sealed class ObjectReader(string origin)
{
    /// <summary>Annotations of a service: <c>mutual</c>, and who the relays before its endpoints must be if not the service by its name.</summary>
    private const string TlsAnnotation = "dataplane.mesh/tls", IdentityAnnotation = "dataplane.mesh/identity";

    private readonly List<MeshServiceSpec> _services = [];
    private readonly List<MeshEndpointSpec> _endpoints = [];
    private readonly List<string> _problems = [];

    /// <summary>The services read.</summary>
    public IReadOnlyList<MeshServiceSpec> Services => _services;

    /// <summary>The endpoints read.</summary>
    public IReadOnlyList<MeshEndpointSpec> Endpoints => _endpoints;

    /// <summary>What was left out, and why.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Reads an object, or a list of objects.</summary>
    public void Read(ObjectNode node) => Read(node, node.Text("kind"));

    /// <summary>Reads an object of a kind: those in lists of an API server do not say it themselves.</summary>
    public void Read(ObjectNode node, string kind)
    {
        switch (kind)
        {
            case "List" or "ServiceList" or "EndpointSliceList" or "PodList":
                foreach (ObjectNode item in node.Items("items"))
                {
                    Read(item, item.Text("kind") is { Length: > 0 } own ? own : kind[..^"List".Length]);
                }

                break;
            case "Service":
                ReadService(node);
                break;
            case "EndpointSlice":
                ReadSlice(node);
                break;
            case "Pod":
                ReadPod(node);
                break;
        }
    }

    private void ReadService(ObjectNode node)
    {
        ObjectNode spec = node["spec"];
        string name = node.Text("metadata", "name"), type = spec.Text("type");
        string[] cluster = [.. new[] { spec.Text("clusterIP") }.Concat(spec.Items("clusterIPs").Select(item => item.Text())).Where(text => text.Length > 0).Distinct()];
        MeshServiceKind? kind = (type, cluster) switch
        {
            ("ExternalName", _) => MeshServiceKind.ExternalName,
            ("" or "ClusterIP", ["None", ..]) => MeshServiceKind.Headless,
            ("" or "ClusterIP", _) => MeshServiceKind.ClusterIp,
            ("NodePort", _) => MeshServiceKind.NodePort,
            ("LoadBalancer", _) => MeshServiceKind.LoadBalancer,
            _ => null,
        };
        if (name.Length == 0 || Dataplane.Names.DomainName.ProblemOfLabel(name) is not null || kind is null)
        {
            Problem(node, kind is null ? $"service {name}: type {type} is not ClusterIP, NodePort, LoadBalancer or ExternalName" : $"service without a good name (\"{name}\")");
            return;
        }

        string[] outside = [.. new[] { spec.Text("loadBalancerIP") }.Concat(node["status"]["loadBalancer"].Items("ingress").Select(item => item.Text("ip")))
            .Where(text => text.Length > 0).Distinct()];
        if (ReadTls(node, name, kind.Value) is not { } tls)
        {
            return;
        }

        _services.Add(new MeshServiceSpec
        {
            Name = name,
            Namespace = NamespaceOf(node),
            Kind = kind.Value,
            Tls = tls,
            Identity = tls == MeshServiceTls.None ? "" : node["metadata"].Text("annotations", IdentityAnnotation),
            IsKubernetes = true,
            Ports = [.. spec.Items("ports").Select(ReadPort).Where(port => port is not null).Select(port => port!)],
            Addresses = [.. Addresses(node, cluster.Where(text => text != "None"))],
            LoadBalancerAddresses = [.. Addresses(node, outside)],
            Selector = spec["selector"].Texts(),
            ExternalName = spec.Text("externalName"),
            PublishNotReady = spec.Text("publishNotReadyAddresses") == "true",
        });
    }

    /// <summary>How a service is to be protected. One that says so in words that are not understood is left out: it must not be reached in the clear.</summary>
    private MeshServiceTls? ReadTls(ObjectNode node, string name, MeshServiceKind kind)
    {
        string text = node["metadata"].Text("annotations", TlsAnnotation), identity = node["metadata"].Text("annotations", IdentityAnnotation);
        MeshServiceTls tls = MeshServiceTls.None;
        string? problem = text.Length > 0 && !MeshKeys.Tls.TryRead(text, out tls) ? $"\"{text}\" {MeshKeys.Tls.Problem}"
            : tls == MeshServiceTls.Mutual && kind is MeshServiceKind.Headless or MeshServiceKind.ExternalName ? "a service with an address of its own is needed: the names of this kind lead past the relays"
            : null;
        if (problem is not null)
        {
            Problem(node, $"service {name}: {TlsAnnotation}: {problem}");
            return null;
        }

        if (identity.Length > 0 && (tls == MeshServiceTls.None || !SpiffePattern.TryParse(identity, out _, out _)))
        {
            Problem(node, $"service {name}: {IdentityAnnotation}: {(tls == MeshServiceTls.None ? "is of no use without" : $"\"{identity}\" is no identity, for")} {TlsAnnotation}: mutual");
            return null;
        }

        return tls;
    }

    private MeshPortSpec? ReadPort(ObjectNode node)
    {
        byte protocol = node.Text("protocol") switch { "" or "TCP" => IpProtocols.Tcp, "UDP" => IpProtocols.Udp, _ => 0 };
        ushort port = Number(node["port"]);
        if (protocol == 0 || port == 0)
        {
            Problem(node, protocol == 0 ? $"protocol {node.Text("protocol")} is not balanced; TCP and UDP are" : $"port \"{node.Text("port")}\" is not one from 1 to 65535");
            return null;
        }

        return new MeshPortSpec { Name = node.Text("name"), Port = port, TargetPort = node.Text("targetPort"), Protocol = protocol, NodePort = Number(node["nodePort"]) };
    }

    private void ReadSlice(ObjectNode node)
    {
        string service = node["metadata"].Text("labels", "kubernetes.io/service-name");
        if (service.Length == 0)
        {
            Problem(node, "EndpointSlice without the label kubernetes.io/service-name belongs to no service");
            return;
        }

        var ports = new Dictionary<string, ushort>(StringComparer.Ordinal);
        foreach (ObjectNode port in node.Items("ports"))
        {
            ports[port.Text("name")] = Number(port["port"]);
        }

        foreach (ObjectNode endpoint in node.Items("endpoints"))
        {
            ObjectNode conditions = endpoint["conditions"];

            // Only the first address of an endpoint counts (KEP-752); a condition that is not there counts as true, but for "terminating".
            foreach (IpAddress address in Addresses(endpoint, endpoint.Items("addresses").Take(1).Select(item => item.Text())))
            {
                _endpoints.Add(new MeshEndpointSpec
                {
                    Address = address,
                    Name = endpoint.Text("targetRef", "name"),
                    Namespace = NamespaceOf(node),
                    Service = service,
                    Ports = ports,
                    IsReady = conditions.Text("ready") != "false",
                    IsServing = conditions.Text("serving") == "true" && conditions.Text("terminating") == "true",
                    Hostname = endpoint.Text("hostname"),
                });
            }
        }
    }

    private void ReadPod(ObjectNode node)
    {
        ObjectNode status = node["status"], spec = node["spec"];
        var ports = new Dictionary<string, ushort>(StringComparer.Ordinal);
        foreach (ObjectNode port in spec.Items("containers").SelectMany(container => container.Items("ports")).Where(port => port.Text("name").Length > 0))
        {
            ports[port.Text("name")] = Number(port["containerPort"]);
        }

        string ready = status.Items("conditions").Where(condition => condition.Text("type") == "Ready").Select(condition => condition.Text("status")).FirstOrDefault("True");
        string[] addresses = [.. new[] { status.Text("podIP") }.Concat(status.Items("podIPs").Select(item => item.Text("ip"))).Where(text => text.Length > 0).Distinct()];
        foreach (IpAddress address in Addresses(node, addresses))
        {
            _endpoints.Add(new MeshEndpointSpec
            {
                Address = address,
                Name = node.Text("metadata", "name"),
                Namespace = NamespaceOf(node),
                Labels = node["metadata"]["labels"].Texts(),
                Ports = ports,
                IsReady = ready == "True",
                Hostname = spec.Text("hostname"),
            });
        }
    }

    private List<IpAddress> Addresses(ObjectNode place, IEnumerable<string> texts)
    {
        var addresses = new List<IpAddress>();
        foreach (string text in texts)
        {
            if (IpAddress.TryParse(text, out IpAddress address))
            {
                addresses.Add(address);
            }
            else
            {
                Problem(place, $"\"{text}\" is not an address");
            }
        }

        return addresses;
    }

    private void Problem(ObjectNode node, string problem) => _problems.Add($"{origin}{node.Place}: {problem}");

    private static string NamespaceOf(ObjectNode node) => node.Text("metadata", "namespace") is { Length: > 0 } name ? name : "default";

    private static ushort Number(ObjectNode node) => ushort.TryParse(node.Text(), NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) ? number : (ushort)0;
}
