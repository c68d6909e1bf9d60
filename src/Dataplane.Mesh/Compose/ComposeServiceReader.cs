using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Mesh.Configuration;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Kubernetes;
using Dataplane.Mesh.Services;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Compose;

/// <summary>Makes services of a mesh of those of a compose file: its ports, the aliases of its networks, and its labels that begin with <c>dataplane.mesh/</c>.</summary>
/// <param name="project">Name of the project, which is the name space of its services.</param>
/// <param name="networks">The networks of the file.</param>
/// <param name="file">Name of the file, for problems.</param>
internal sealed class ComposeServiceReader(string project, ObjectNode networks, string file)
{
    private const string Prefix = "dataplane.mesh/";

    /// <summary>Ports of one entry; a longer range is a mistake of whoever wrote it.</summary>
    private const int MostPorts = 1024;

    private readonly List<string> _problems = [];

    /// <summary>What was left out, and why.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Reads a service. One whose labels are not understood is left out: it must not be reached otherwise than was asked for.</summary>
    public ComposeService Read(string name, ObjectNode node)
    {
        var labels = new LabelReader(LabelsOf(node));
        bool isEnabled = labels.Take<bool>("enabled", "true", text => bool.TryParse(text, out bool flag) ? flag : null, "is neither true nor false");
        int weight = labels.Take<int>("weight", "1", text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= ushort.MaxValue ? number : null,
            "is not a number from 0 to 65535");
        BalancePolicy balance = labels.Take<BalancePolicy>("balance", "maglev", text => SpecNames.Policies.TryRead(text, out BalancePolicy policy) ? policy : null, SpecNames.Policies.Problem);
        MeshServiceTls tls = labels.Take<MeshServiceTls>("tls", "none", text => MeshKeys.Tls.TryRead(text, out MeshServiceTls read) ? read : null, MeshKeys.Tls.Problem);
        MeshServiceKind kind = labels.Take<MeshServiceKind>("kind", "cluster_ip", text => MeshKeys.Kinds.TryRead(text, out MeshServiceKind read) && read != MeshServiceKind.ExternalName ? read : null,
            "is not cluster_ip, node_port, load_balancer or headless");
        string space = labels.Text("namespace", project), identity = labels.Text("identity", ""), ports = labels.Text("ports", ""), network = labels.Text("network", "");
        var spec = new MeshServiceSpec
        {
            Name = name.ToLowerInvariant(),
            Namespace = space.ToLowerInvariant(),
            Kind = kind,
            Ports = ports.Length > 0 ? LabelledPorts(ports, labels) : OwnPorts(node),
            Aliases = AliasesOf(node),
            Balance = balance,
            Tls = tls,
            Identity = identity,
        };
        string[] problems = [.. labels.Problems, .. ProblemsOf(spec, network)];
        if (isEnabled && problems.Length > 0)
        {
            _problems.Add($"{file}{node.Place}: service {name}: {string.Join("; ", problems)}");
        }

        return new ComposeService(name, isEnabled && problems.Length == 0 ? spec : null, network.Length > 0 ? NameOfNetwork(network) : "", weight);
    }

    private IEnumerable<string> ProblemsOf(MeshServiceSpec service, string network)
    {
        foreach (string label in new[] { service.Name, service.Namespace }.Concat(service.Aliases))
        {
            if (DomainName.ProblemOfLabel(label) is { } problem)
            {
                yield return $"\"{label}\" {problem}";
            }
        }

        if (service.Ports.Count == 0 && service.Kind != MeshServiceKind.Headless)
        {
            yield return $"has no port: ports, expose or the label {Prefix}ports names them; {Prefix}enabled: \"false\" leaves it out";
        }

        if (service.Tls == MeshServiceTls.Mutual && service.Kind == MeshServiceKind.Headless)
        {
            yield return $"{Prefix}tls: a service with an address of its own is needed: the names of this kind lead past the relays";
        }

        if (service.Identity.Length > 0 && (service.Tls == MeshServiceTls.None || !SpiffePattern.TryParse(service.Identity, out _, out _)))
        {
            yield return $"{Prefix}identity: {(service.Tls == MeshServiceTls.None ? $"is of no use without {Prefix}tls: mutual" : $"\"{service.Identity}\" is no identity")}";
        }

        if (network.Length > 0 && network != "default" && !networks.Members().Any(member => member.Key == network))
        {
            yield return $"{Prefix}network: \"{network}\" is none of the file's networks";
        }
    }

    /// <summary>Labels of ours without what they begin with: a mapping, or a list of <c>KEY=VALUE</c>.</summary>
    private static Dictionary<string, string> LabelsOf(ObjectNode node)
    {
        IEnumerable<(string Key, string Value)> all = node["labels"].Texts().Select(pair => (pair.Key, pair.Value))
            .Concat(node.Items("labels").Select(item => item.Text().Split('=', 2)).Select(pair => (pair[0], pair.Length > 1 ? pair[1] : "")));
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string key, string value) in all.Where(pair => pair.Key.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            labels[key[Prefix.Length..]] = value.Trim();
        }

        return labels;
    }

    private static string[] AliasesOf(ObjectNode node) =>
        [.. node["networks"].Members().SelectMany(member => member.Value.Items("aliases")).Select(item => item.Text().ToLowerInvariant()).Distinct(StringComparer.Ordinal)];

    private string NameOfNetwork(string key)
    {
        ObjectNode network = networks[key];
        bool isExternal = network.Has("external") && network.Text("external") != "false";
        return network.Text("name") is { Length: > 0 } name ? name : isExternal ? key : ComposeLayout.NetworkName(project, key);
    }

    /// <summary>Ports as others in the project reach them: those of the containers, in the order of the file.</summary>
    private static IReadOnlyList<MeshPortSpec> OwnPorts(ObjectNode node)
    {
        var found = new List<MeshPortSpec>();
        foreach (ObjectNode item in node.Items("ports").Concat(node.Items("expose")))
        {
            string text = item.Text(), protocol = item.Text("protocol"), name = item.Text("name");
            string target = text.Length > 0 ? text[(text.LastIndexOf(':') + 1)..] : $"{item.Text("target")}{(protocol.Length > 0 ? "/" : "")}{protocol}";
            found.AddRange(Range(target).Select(port => port with { Name = DomainName.ProblemOfLabel(name) is null ? name : "" }));
        }

        return Named([.. found.DistinctBy(port => (port.Port, port.Protocol))]);
    }

    private static IEnumerable<MeshPortSpec> Range(string text)
    {
        string[] parts = text.Split('/'), ends = parts[0].Split('-');
        byte protocol = ProtocolOf(parts.Length > 1 ? parts[1] : "tcp");
        ushort first = PortOf(ends[0]), last = PortOf(ends[^1]);
        return protocol == 0 || first == 0 || last < first || last - first >= MostPorts ? []
            : Enumerable.Range(first, last - first + 1).Select(port => new MeshPortSpec { Port = (ushort)port, Protocol = protocol });
    }

    /// <summary><c>[NAME=]PORT[:TARGET][/PROTOCOL]</c>, with commas between.</summary>
    private static IReadOnlyList<MeshPortSpec> LabelledPorts(string text, LabelReader labels)
    {
        var found = new List<MeshPortSpec>();
        foreach (string entry in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] named = entry.Split('=', 2), parts = named[^1].Split('/'), numbers = parts[0].Split(':');
            ushort port = PortOf(numbers[0]), target = PortOf(numbers[^1]);
            byte protocol = ProtocolOf(parts.Length > 1 ? parts[1] : "tcp");
            string name = named.Length > 1 ? named[0] : "";
            if (port == 0 || target == 0 || protocol == 0 || numbers.Length > 2 || parts.Length > 2 || (named.Length > 1 && DomainName.ProblemOfLabel(name) is not null))
            {
                labels.Complain("ports", entry, "is no port such as 80, 80:8080, 53/udp or http=80:8080");
                continue;
            }

            found.Add(new MeshPortSpec { Name = name, Port = port, Protocol = protocol, TargetPort = target == port ? "" : target.ToString(CultureInfo.InvariantCulture) });
        }

        if (found.Select(port => (port.Port, port.Protocol)).Distinct().Count() < found.Count)
        {
            labels.Complain("ports", text, "has a port twice");
        }

        return Named(found);
    }

    /// <summary>Of several ports each needs a name of its own: without one, or with another's, it is called by its number.</summary>
    private static IReadOnlyList<MeshPortSpec> Named(List<MeshPortSpec> ports)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        return [.. ports.Select(port => ports.Count == 1 || (port.Name.Length > 0 && taken.Add(port.Name)) ? port
            : port with { Name = string.Create(CultureInfo.InvariantCulture, $"{(port.Protocol == IpProtocols.Udp ? "udp" : "tcp")}-{port.Port}") })];
    }

    private static byte ProtocolOf(string text) => text switch { "tcp" => IpProtocols.Tcp, "udp" => IpProtocols.Udp, _ => 0 };

    private static ushort PortOf(string text) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) ? port : (ushort)0;

    /// <summary>Reads labels one by one, and tells which nobody asked for.</summary>
    private sealed class LabelReader(Dictionary<string, string> labels)
    {
        private readonly List<string> _wrong = [];

        public IEnumerable<string> Problems => [.. _wrong, .. labels.Keys.Order(StringComparer.Ordinal).Select(key =>
            $"{Prefix}{key} is none of the labels: enabled, ports, network, namespace, kind, weight, balance, tls, identity")];

        public string Text(string key, string missing) => labels.Remove(key, out string? text) ? text : missing;

        public T Take<T>(string key, string missing, Func<string, T?> read, string problem)
            where T : struct
        {
            string text = Text(key, missing);
            if (read(text) is { } value)
            {
                return value;
            }

            Complain(key, text, problem);
            return default;
        }

        public void Complain(string key, string text, string problem) => _wrong.Add($"{Prefix}{key}: \"{text}\" {problem}");
    }
}
