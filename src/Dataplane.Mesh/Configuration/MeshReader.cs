using System.Globalization;
using System.Net;
using System.Numerics;
using Dataplane.Configuration;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Configuration;

/// <summary>Reads the section <c>mesh</c> and checks it. Throws on nothing that is in it: every wrong value is an error with its place.</summary>
internal sealed partial class MeshReader
{
    private static readonly IntRange s_port = new("port", 1, ushort.MaxValue);
    private static readonly IntRange s_weight = new("weight", 0, ushort.MaxValue);
    private static readonly IntRange s_rate = new("number of queries", 0, 1_000_000);

    private readonly List<ConfigurationError> _errors = [];

    /// <summary>Reads.</summary>
    /// <param name="node">What stands behind the key <c>mesh</c>.</param>
    /// <returns>The mesh, not for use when there are errors.</returns>
    public static (MeshSpec Mesh, IReadOnlyList<ConfigurationError> Errors) Read(ConfigNode node)
    {
        var reader = new MeshReader();
        MeshSpec mesh = reader.ReadMesh(node);
        reader.Check(mesh);
        return (mesh, reader._errors);
    }

    private MeshSpec ReadMesh(ConfigNode node)
    {
        MappingReader map = MappingReader.Open(node, "mesh", MeshKeys.Mesh, _errors);
        return new MeshSpec
        {
            Domain = DomainName.Normalise(map.Text("domain", "a domain such as mesh.example")),
            ClusterDomain = map.Text("cluster_domain") is { Length: > 0 } cluster ? DomainName.Normalise(cluster) : "cluster.local",
            Addresses = Texts(map, "addresses", (text, path) => TextReading.Prefix(text, path, _errors)),
            LoadBalancers = Texts(map, "load_balancers", (text, path) => TextReading.Prefix(text, path, _errors)),
            NodeAddresses = Texts(map, "node_addresses", (text, path) => TextReading.Address(text, path, _errors)),
            TableSize = (int)map.Integer("table_size", SpecLimits.TableSize, 65537),
            Dns = map.Value("dns") is { } dns ? ReadDns(dns, map.PathOf("dns")) : null,
            Relay = map.Value("relay") is { } relay ? ReadRelay(relay, map.PathOf("relay")) : null,
            Services = [.. map.Items("services", "each service").Select(item => ReadService(item.Node, item.Path))],
            Endpoints = [.. map.Items("endpoints", "each endpoint").Select(item => ReadEndpoint(item.Node, item.Path, isInService: false))],
            Sources = [.. map.Items("sources", "each source").Select(item => ReadSource(item.Node, item.Path))],
        };
    }

    private MeshDnsSpec ReadDns(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Dns, _errors);
        var defaults = new MeshDnsSpec();
        return new MeshDnsSpec
        {
            Listen = Texts(map, "listen", (text, at) => TextReading.Address(text, at, _errors)),
            Upstreams = [.. Texts(map, "upstreams", ReadUpstream).Where(upstream => upstream is not null).Select(upstream => upstream!)],
            TtlSeconds = Seconds(map, "ttl") ?? defaults.TtlSeconds,
            NegativeTtlSeconds = Seconds(map, "negative_ttl") ?? defaults.NegativeTtlSeconds,
            QueriesPerSecond = (int)map.Integer("rate_limit", s_rate, defaults.QueriesPerSecond),
            Dns64 = map.Value("dns64") is { } dns64 ? ReadDns64(dns64, map.PathOf("dns64")) : null,
        };
    }

    private Dns64Spec ReadDns64(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Dns64, _errors);
        var defaults = new Dns64Spec();
        return new Dns64Spec
        {
            Prefix = map.OptionalPrefix("prefix") ?? defaults.Prefix,
            Exclude = map.Value("exclude") is null ? defaults.Exclude : Texts(map, "exclude", (text, at) => TextReading.AddressOrPrefix(text, at, _errors)),
        };
    }

    private IPEndPoint? ReadUpstream(string text, string path)
    {
        if (IPEndPoint.TryParse(text, out IPEndPoint? upstream))
        {
            return upstream.Port == 0 ? new IPEndPoint(upstream.Address, 53) : upstream;
        }

        _errors.Add(new ConfigurationError(path, "is not the address of a name server, such as 192.0.2.53 or [2001:db8::53]:53", text));
        return null;
    }

    private MeshServiceSpec ReadService(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Service, _errors);
        return new MeshServiceSpec
        {
            Name = Label(map, "name", isNeeded: true),
            Namespace = Label(map, "namespace", isNeeded: false) is { Length: > 0 } name ? name : "default",
            Kind = map.Choice("kind", MeshKeys.Kinds) ?? MeshServiceKind.ClusterIp,
            Ports = [.. map.Items("ports", "each port").Select(item => ReadPort(item.Node, item.Path))],
            Addresses = Texts(map, "addresses", (text, at) => TextReading.Address(text, at, _errors)),
            LoadBalancerAddresses = Texts(map, "load_balancer_addresses", (text, at) => TextReading.Address(text, at, _errors)),
            Selector = Labels(map, "selector"),
            Endpoints = [.. map.Items("endpoints", "each endpoint").Select(item => ReadEndpoint(item.Node, item.Path, isInService: true))],
            Balance = map.Choice("balance", SpecNames.Policies) ?? default,
            TtlSeconds = Seconds(map, "ttl"),
            ExternalName = map.Text("external_name"),
            PublishNotReady = map.Flag("publish_not_ready"),
            Aliases = Texts(map, "aliases", ReadAlias),
            Tls = map.Choice("tls", MeshKeys.Tls) ?? MeshServiceTls.None,
            Identity = map.Text("identity"),
        };
    }

    private MeshPortSpec ReadPort(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Port, _errors);
        string target = map.Text("target_port");
        if (target.Length > 0 && char.IsAsciiDigit(target[0]) && (!ushort.TryParse(target, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) || number == 0))
        {
            map.Error("target_port", "is neither a port from 1 to 65535 nor the name of one", target);
        }

        if (map.Value("port") is null)
        {
            map.Error("port", "is missing: a port from 1 to 65535 is needed", null);
        }

        return new MeshPortSpec
        {
            Name = Label(map, "name", isNeeded: false),
            Port = (ushort)map.Integer("port", s_port, 0),
            TargetPort = target,
            Protocol = map.Choice("protocol", MeshKeys.Protocols) ?? 6,
            NodePort = (ushort)map.Integer("node_port", s_port, 0),
        };
    }

    private MeshEndpointSpec ReadEndpoint(ConfigNode node, string path, bool isInService)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Endpoint, _errors);
        if (isInService && (map.Value("service") ?? map.Value("namespace")) is not null)
        {
            map.Error(map.Value("service") is null ? "namespace" : "service", "is given by the service that the endpoint stands in; take it out", null);
        }

        return new MeshEndpointSpec
        {
            Address = map.Address("address"),
            Name = map.Text("name"),
            Namespace = Label(map, "namespace", isNeeded: false) is { Length: > 0 } name ? name : "default",
            Service = Label(map, "service", isNeeded: false),
            Labels = Labels(map, "labels"),
            Ports = ReadPorts(map),
            Weight = (int)map.Integer("weight", s_weight, 1),
            IsReady = map.Value("ready") is null || map.Flag("ready"),
            Hostname = Label(map, "hostname", isNeeded: false),
        };
    }

    private Dictionary<string, ushort> ReadPorts(MappingReader map)
    {
        var ports = new Dictionary<string, ushort>(StringComparer.Ordinal);
        foreach (ConfigEntry entry in Entries(map, "ports", "http: 8080"))
        {
            if (ushort.TryParse(entry.Value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port != 0)
            {
                ports[entry.Key] = port;
            }
            else
            {
                _errors.Add(new ConfigurationError(ConfigPath.Key(map.PathOf("ports"), entry.Key), s_port.Problem, entry.Value.Text));
            }
        }

        return ports;
    }

    /// <summary>What must hold between values.</summary>
    private void Check(MeshSpec mesh)
    {
        foreach ((string key, string name) in new[] { ("domain", mesh.Domain), ("cluster_domain", mesh.ClusterDomain) })
        {
            // Names of services come before it: 63 for the service, 63 for the name space, and what stands between.
            if (name.Length > 0 && (DomainName.ProblemOf(name) ?? (name.Length > 100 ? "is longer than 100 characters, which leaves no room for names of services" : null)) is { } problem)
            {
                _errors.Add(new ConfigurationError($"mesh.{key}", problem, name));
            }
        }

        CheckRanges(mesh.Addresses, "mesh.addresses");
        CheckRanges(mesh.LoadBalancers, "mesh.load_balancers");
        CheckRelay(mesh);
        if (mesh.Dns is { Listen.Count: 0 })
        {
            _errors.Add(new ConfigurationError("mesh.dns.listen", "is missing: the address at which queries are answered is needed"));
        }

        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int index = 0; index < mesh.Services.Count; index++)
        {
            CheckService(mesh.Services[index], $"mesh.services[{index}]", seen, index);
            CheckTls(mesh, mesh.Services[index], $"mesh.services[{index}]");
        }
    }

    private void CheckService(MeshServiceSpec service, string path, Dictionary<string, int> seen, int index)
    {
        if (service.Name.Length > 0 && !seen.TryAdd(service.Key, index))
        {
            _errors.Add(new ConfigurationError($"{path}.name", $"is the name of mesh.services[{seen[service.Key]}] already", service.Name));
        }

        bool isAlias = service.Kind == MeshServiceKind.ExternalName;
        if (isAlias && DomainName.ProblemOf(service.ExternalName) is { } problem)
        {
            _errors.Add(new ConfigurationError($"{path}.external_name", problem, service.ExternalName));
        }
        else if (!isAlias && service.ExternalName.Length > 0)
        {
            _errors.Add(new ConfigurationError($"{path}.external_name", "is for kind external_name; take it out, or change the kind", service.ExternalName));
        }

        if (service.Ports.Count == 0 && !isAlias && service.Kind != MeshServiceKind.Headless)
        {
            _errors.Add(new ConfigurationError($"{path}.ports", "is missing: a service has a port at least"));
        }

        var ports = new HashSet<(ushort, byte)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int port = 0; port < service.Ports.Count; port++)
        {
            MeshPortSpec spec = service.Ports[port];
            if (spec.Port != 0 && !ports.Add((spec.Port, spec.Protocol)))
            {
                _errors.Add(new ConfigurationError($"{path}.ports[{port}].port", "is there twice with the same protocol", spec.Port.ToString(CultureInfo.InvariantCulture)));
            }

            if (!names.Add(spec.Name))
            {
                _errors.Add(new ConfigurationError($"{path}.ports[{port}].name", "is there twice; ports are told apart by their names", spec.Name));
            }
        }
    }

    private void CheckRanges(IReadOnlyList<IpPrefix> ranges, string path)
    {
        for (int index = 0; index < ranges.Count; index++)
        {
            IpPrefix range = ranges[index];
            if (ranges.Take(index).Any(other => other.First.Family == range.First.Family))
            {
                _errors.Add(new ConfigurationError($"{path}[{index}]", "is the second range of its family; one is used", range.ToString()));
            }
            else if (range.First.IsMulticast || range.First.IsLoopback || range.First.IsUnspecified || range.First.IsLinkLocal)
            {
                _errors.Add(new ConfigurationError($"{path}[{index}]", "is no range of addresses that hosts may have", range.ToString()));
            }
        }
    }

    private string ReadAlias(string text, string path)
    {
        string alias = text.ToLowerInvariant();
        if (DomainName.ProblemOfLabel(alias) is { } problem)
        {
            _errors.Add(new ConfigurationError(path, problem, text));
        }

        return alias;
    }

    private static string Label(in MappingReader map, string key, bool isNeeded)
    {
        string text = map.Text(key, isNeeded ? "a name such as web" : null).ToLowerInvariant();
        if (text.Length > 0 && DomainName.ProblemOfLabel(text) is { } problem)
        {
            map.Error(key, problem.Replace("has a label of", "has", StringComparison.Ordinal), text);
        }

        return text;
    }

    private static int? Seconds(in MappingReader map, string key)
    {
        if (map.Scalar(key, null, "a duration") is not { } text)
        {
            return null;
        }

        if (!DurationText.TryRead(text, out BigInteger nanoseconds) || nanoseconds % 1_000_000_000 != 0 || nanoseconds / 1_000_000_000 > int.MaxValue)
        {
            map.Error(key, "is not a time in whole seconds, such as 30s", text);
            return null;
        }

        return (int)(nanoseconds / 1_000_000_000);
    }

    private Dictionary<string, string> Labels(in MappingReader map, string key) =>
        Entries(map, key, "app: web").ToDictionary(entry => entry.Key, entry => entry.Value.Text, StringComparer.Ordinal);

    private IEnumerable<ConfigEntry> Entries(in MappingReader map, string key, string example)
    {
        ConfigNode? node = map.Value(key);
        if (node is not null && node.Kind != ConfigNodeKind.Mapping)
        {
            map.Error(key, $"is {MappingReader.KindOf(node)} where a mapping is needed, such as {{ {example} }}", null);
        }

        MappingReader.CheckUnique(node ?? ConfigNode.Mapping([]), map.PathOf(key), _errors);
        return (node?.Entries ?? []).DistinctBy(entry => entry.Key, StringComparer.Ordinal);
    }

    /// <summary>A list of texts, or one text in its place.</summary>
    private List<T> Texts<T>(in MappingReader map, string key, Func<string, string, T> read)
    {
        if (map.Value(key) is { Kind: ConfigNodeKind.Scalar } one)
        {
            return [read(one.Text, map.PathOf(key))];
        }

        var result = new List<T>();
        foreach ((ConfigNode node, string path) in map.Items(key, "each"))
        {
            if (node.Kind == ConfigNodeKind.Scalar)
            {
                result.Add(read(node.Text, path));
            }
            else
            {
                _errors.Add(new ConfigurationError(path, $"is {MappingReader.KindOf(node)} where a text is needed{MappingReader.QuoteHint(node)}"));
            }
        }

        return result;
    }
}
