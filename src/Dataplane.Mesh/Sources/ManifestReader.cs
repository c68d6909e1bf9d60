using System.Globalization;
using Dataplane.Mesh.Services;
using Dataplane.Packets;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Dataplane.Mesh.Sources;

/// <summary>Reads Kubernetes manifests: Service (v1), EndpointSlice (discovery.k8s.io/v1), Pod (v1) and lists of them; other kinds are passed over.</summary>
/// <remarks>What is not right is said with file and line, and the rest of the file still counts: one bad object must not take the others with it.</remarks>
internal sealed class ManifestReader(string file)
{
    private readonly List<MeshServiceSpec> _services = [];
    private readonly List<MeshEndpointSpec> _endpoints = [];
    private readonly List<string> _problems = [];

    /// <summary>Reads a text of any number of documents.</summary>
    public static (IReadOnlyList<MeshServiceSpec> Services, IReadOnlyList<MeshEndpointSpec> Endpoints, IReadOnlyList<string> Problems) Read(string text, string file)
    {
        var reader = new ManifestReader(file);
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException exception)
        {
            return ([], [], [$"{file}:{exception.Start.Line}:{exception.Start.Column}: {exception.Message}"]);
        }

        foreach (YamlDocument document in stream.Documents)
        {
            reader.ReadObject(document.RootNode);
        }

        return (reader._services, reader._endpoints, reader._problems);
    }

    private void ReadObject(YamlNode node)
    {
        switch (Text(node, "kind"))
        {
            case "List" or "ServiceList" or "EndpointSliceList" or "PodList":
                foreach (YamlNode item in Items(node, "items"))
                {
                    ReadObject(item);
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

    private void ReadService(YamlNode node)
    {
        YamlNode? spec = Get(node, "spec");
        string name = Text(node, "metadata", "name"), type = Text(spec, "type");
        string[] cluster = [.. new[] { Text(spec, "clusterIP") }.Concat(Items(spec, "clusterIPs").Select(Text)).Where(text => text.Length > 0).Distinct()];
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

        string[] outside = [.. new[] { Text(spec, "loadBalancerIP") }.Concat(Items(Get(Get(node, "status"), "loadBalancer"), "ingress").Select(item => Text(item, "ip")))
            .Where(text => text.Length > 0).Distinct()];
        _services.Add(new MeshServiceSpec
        {
            Name = name,
            Namespace = NamespaceOf(node),
            Kind = kind.Value,
            IsKubernetes = true,
            Ports = [.. Items(spec, "ports").Select(ReadPort).Where(port => port is not null).Select(port => port!)],
            Addresses = [.. Addresses(node, cluster.Where(text => text != "None"))],
            LoadBalancerAddresses = [.. Addresses(node, outside)],
            Selector = Labels(Get(spec, "selector")),
            ExternalName = Text(spec, "externalName"),
            PublishNotReady = Text(spec, "publishNotReadyAddresses") == "true",
        });
    }

    private MeshPortSpec? ReadPort(YamlNode node)
    {
        byte protocol = Text(node, "protocol") switch { "" or "TCP" => IpProtocols.Tcp, "UDP" => IpProtocols.Udp, _ => 0 };
        ushort port = Number(node, "port");
        if (protocol == 0 || port == 0)
        {
            Problem(node, protocol == 0 ? $"protocol {Text(node, "protocol")} is not balanced; TCP and UDP are" : $"port \"{Text(node, "port")}\" is not one from 1 to 65535");
            return null;
        }

        return new MeshPortSpec { Name = Text(node, "name"), Port = port, TargetPort = Text(node, "targetPort"), Protocol = protocol, NodePort = Number(node, "nodePort") };
    }

    private void ReadSlice(YamlNode node)
    {
        string service = Text(Get(node, "metadata"), "labels", "kubernetes.io/service-name");
        if (service.Length == 0)
        {
            Problem(node, "EndpointSlice without the label kubernetes.io/service-name belongs to no service");
            return;
        }

        var ports = new Dictionary<string, ushort>(StringComparer.Ordinal);
        foreach (YamlNode port in Items(node, "ports"))
        {
            ports[Text(port, "name")] = Number(port, "port");
        }

        foreach (YamlNode endpoint in Items(node, "endpoints"))
        {
            YamlNode? conditions = Get(endpoint, "conditions");

            // Only the first address of an endpoint counts (KEP-752); a condition that is not there counts as true, but for "terminating".
            foreach (IpAddress address in Addresses(endpoint, Items(endpoint, "addresses").Take(1).Select(Text)))
            {
                _endpoints.Add(new MeshEndpointSpec
                {
                    Address = address,
                    Name = Text(endpoint, "targetRef", "name"),
                    Namespace = NamespaceOf(node),
                    Service = service,
                    Ports = ports,
                    IsReady = Text(conditions, "ready") != "false",
                    IsServing = Text(conditions, "serving") == "true" && Text(conditions, "terminating") == "true",
                    Hostname = Text(endpoint, "hostname"),
                });
            }
        }
    }

    private void ReadPod(YamlNode node)
    {
        YamlNode? status = Get(node, "status"), spec = Get(node, "spec");
        var ports = new Dictionary<string, ushort>(StringComparer.Ordinal);
        foreach (YamlNode port in Items(spec, "containers").SelectMany(container => Items(container, "ports")).Where(port => Text(port, "name").Length > 0))
        {
            ports[Text(port, "name")] = Number(port, "containerPort");
        }

        string ready = Items(status, "conditions").Where(condition => Text(condition, "type") == "Ready").Select(condition => Text(condition, "status")).FirstOrDefault("True");
        string[] addresses = [.. new[] { Text(status, "podIP") }.Concat(Items(status, "podIPs").Select(item => Text(item, "ip"))).Where(text => text.Length > 0).Distinct()];
        foreach (IpAddress address in Addresses(node, addresses))
        {
            _endpoints.Add(new MeshEndpointSpec
            {
                Address = address,
                Name = Text(node, "metadata", "name"),
                Namespace = NamespaceOf(node),
                Labels = Labels(Get(Get(node, "metadata"), "labels")),
                Ports = ports,
                IsReady = ready == "True",
                Hostname = Text(spec, "hostname"),
            });
        }
    }

    private List<IpAddress> Addresses(YamlNode place, IEnumerable<string> texts)
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

    private void Problem(YamlNode node, string problem) =>
        _problems.Add(string.Create(CultureInfo.InvariantCulture, $"{file}:{node.Start.Line}:{node.Start.Column}: {problem}"));

    private static string NamespaceOf(YamlNode node) => Text(node, "metadata", "namespace") is { Length: > 0 } name ? name : "default";

    private static YamlNode? Get(YamlNode? node, string key) =>
        node is YamlMappingNode mapping && mapping.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? value) ? value : null;

    private static string Text(YamlNode? node) => node is YamlScalarNode { Value: { } value } scalar && (value is not ("null" or "~") || scalar.Style != ScalarStyle.Plain) ? value : "";

    private static string Text(YamlNode? node, string key) => Text(Get(node, key));

    private static string Text(YamlNode? node, string key, string inner) => Text(Get(Get(node, key), inner));

    private static ushort Number(YamlNode node, string key) => ushort.TryParse(Text(node, key), NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) ? number : (ushort)0;

    private static IEnumerable<YamlNode> Items(YamlNode? node, string key) => Get(node, key) is YamlSequenceNode sequence ? sequence.Children : [];

    private static Dictionary<string, string> Labels(YamlNode? node)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((YamlNode key, YamlNode value) in (node as YamlMappingNode)?.Children.ToArray() ?? [])
        {
            labels[Text(key)] = Text(value);
        }

        return labels;
    }
}
