using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh.Compose;

namespace Dataplane.Gateway.Compose;

/// <summary>Reads compose files (compose-spec): networks and services as far as they concern the network, and what is run.</summary>
/// <remarks>What is wrong is an error, with its line; what is right but has no effect here is a remark, with its line. Nothing is passed over in silence.</remarks>
internal sealed partial class ComposeReader
{
    private readonly string _project;
    private readonly List<ConfigurationError> _errors;
    private readonly List<ConfigurationError> _remarks = [];

    private readonly IReadOnlyDictionary<string, int> _scale;

    private ComposeReader(string project, List<ConfigurationError> errors, IReadOnlyDictionary<string, int> scale) => (_project, _errors, _scale) = (project, errors, scale);

    /// <summary>Reads a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="project">Name of the project; null: what the file says, or the name of its directory.</param>
    /// <param name="remarks">Takes what has no effect here.</param>
    /// <param name="scale">How many replicas services have, whatever the file says.</param>
    /// <exception cref="ConfigurationException">Something is wrong; the exception holds every error.</exception>
    public static ComposeProject Load(string path, string? project, List<ConfigurationError> remarks, IReadOnlyDictionary<string, int>? scale = null) =>
        Read(File.ReadAllText(path), path, project, DirectoryOf(path), remarks, scale, VariablesOf(path));

    /// <inheritdoc cref="Load"/>
    public static ComposeProject Read(
        string text, string path, string? project, string directory, List<ConfigurationError> remarks, IReadOnlyDictionary<string, int>? scale = null, Func<string, string?>? variables = null)
    {
        var errors = new List<ConfigurationError>();
        ConfigNode root = YamlTreeReader.Read(text, path, errors, takesAliases: true) ?? throw new ConfigurationException(errors);
        root = new ComposeVariables(variables ?? (_ => null), errors, remarks).Apply(root);
        var reader = new ComposeReader(NameOf(root, project, directory), errors, scale ?? new Dictionary<string, int>());
        ComposeProject result = reader.ReadProject(root);
        remarks.AddRange(reader._remarks.Select(root.Place));
        return errors.Count == 0 ? result : throw new ConfigurationException([.. errors.Select(root.Place)]);
    }

    /// <summary>Name of the project of a file, of which nothing else need be right.</summary>
    /// <exception cref="ConfigurationException">It is no YAML.</exception>
    public static string LoadName(string path)
    {
        var errors = new List<ConfigurationError>();
        ConfigNode root = YamlTreeReader.Read(File.ReadAllText(path), path, errors, takesAliases: true) ?? throw new ConfigurationException(errors);
        return NameOf(new ComposeVariables(VariablesOf(path), errors, []).Apply(root), null, DirectoryOf(path));
    }

    /// <summary>The environment first, then <c>.env</c> beside the file.</summary>
    private static Func<string, string?> VariablesOf(string path)
    {
        IReadOnlyDictionary<string, string> beside = ComposeVariables.ReadFile(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "", ".env"));
        return name => Environment.GetEnvironmentVariable(name) ?? beside.GetValueOrDefault(name);
    }

    private static string DirectoryOf(string path) => Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path))) ?? "";

    private static string NameOf(ConfigNode root, string? project, string directory) => ComposeLayout.ProjectName(project ?? root.Get("name")?.Text ?? directory);

    private ComposeProject ReadProject(ConfigNode root)
    {
        CheckUnique(root, "");
        foreach (ConfigEntry entry in root.Entries.Where(entry => entry.Key is not ("version" or "name" or "services" or "networks") && !entry.Key.StartsWith("x-", StringComparison.Ordinal)))
        {
            Remark(entry.Key, "has no effect here");
        }

        var networks = new List<ComposeNetwork>();
        foreach (ConfigEntry entry in Mapping(root.Get("networks"), "networks"))
        {
            networks.Add(ReadNetwork(entry.Key, entry.Value, $"networks.{entry.Key}"));
        }

        if (networks.TrueForAll(network => network.Key != "default"))
        {
            networks.Add(new ComposeNetwork("default", new NetworkRecord(RealName("default")) { Owner = OwnerOf(_project) }, IsExternal: false));
        }

        var services = new List<ComposeService>();
        foreach (ConfigEntry entry in Mapping(root.Get("services"), "services"))
        {
            ComposeService service = ReadService(entry.Key, entry.Value, $"services.{entry.Key}");
            services.Add(_scale.TryGetValue(entry.Key, out int replicas) ? service with { Replicas = replicas } : service);
        }

        if (services.Count == 0)
        {
            Error("services", "is missing: there is nothing to run");
        }

        foreach (string unknown in _scale.Keys.Where(name => !services.Exists(service => service.Name == name)))
        {
            Error("services", $"has no service {unknown}, which --scale names.{ArgumentParser.Suggestion(unknown, services.Select(service => service.Name))}");
        }

        CheckReferences(networks, services);
        CheckNetworks(networks, services);
        CheckPlaces(services);
        HashSet<string> used = [.. services.SelectMany(service => service.Attachments).Select(attachment => attachment.Network)];
        return new ComposeProject(_project) { Networks = [.. networks.Where(network => used.Contains(network.Key))], Services = InOrder(services) };
    }

    private ComposeNetwork ReadNetwork(string key, ConfigNode node, string path)
    {
        var subnets = new List<SubnetRecord>();
        bool isExternal = false;
        var record = new NetworkRecord(RealName(key)) { Owner = OwnerOf(_project) };
        foreach (ConfigEntry entry in Mapping(node, path))
        {
            string at = $"{path}.{entry.Key}";
            switch (entry.Key)
            {
                case "name":
                    record = record with { Name = entry.Value.Text };
                    break;
                case "driver" when entry.Value.Text is not ("bridge" or "default" or ""):
                    Error(at, "is not a driver that is here; bridge is", entry.Value.Text);
                    break;
                case "driver" or "attachable" or "labels":
                    break;
                case "internal":
                    record = record with { Internal = Flag(entry.Value, at) };
                    break;
                case "enable_ipv6":
                    record = record with { Ipv6 = Flag(entry.Value, at) };
                    break;
                case "external":
                    isExternal = entry.Value.Kind == ConfigNodeKind.Mapping || Flag(entry.Value, at);
                    break;
                case "driver_opts":
                    record = ReadDriverOptions(record, entry.Value, at);
                    break;
                case "ipam":
                    subnets.AddRange(ReadIpam(entry.Value, at));
                    break;
                default:
                    Remark(at, "has no effect here");
                    break;
            }
        }

        if (isExternal && node.Entries.Any(entry => entry.Key is not ("external" or "name")))
        {
            Error($"{path}.external", "stands beside other keys; a network that is there already is described by its name alone");
        }

        if (isExternal && node.Get("name") is null)
        {
            record = record with { Name = key };
        }

        return new ComposeNetwork(key, record with { Subnets = subnets }, isExternal);
    }

    private NetworkRecord ReadDriverOptions(NetworkRecord record, ConfigNode node, string path)
    {
        foreach (ConfigEntry entry in Mapping(node, path))
        {
            string at = $"{path}.{entry.Key}";
            switch (entry.Key)
            {
                case "com.docker.network.driver.mtu":
                    record = record with { Mtu = Number(entry.Value, at, 576, 9000) };
                    break;
                case "com.docker.network.bridge.enable_icc":
                    record = record with { Isolate = !Flag(entry.Value, at) };
                    break;
                case "dataplane.router_advertisements":
                    record = record with { RouterAdvertisements = Flag(entry.Value, at) };
                    break;
                case "dataplane.dhcp":
                    record = record with { Dhcp = Flag(entry.Value, at) };
                    break;
                case "dataplane.underlay":
                    record = record with { Underlay = entry.Value.Text };
                    break;
                case "dataplane.attach":
                    record = record with { Attach = AttachKind.All.Contains(entry.Value.Text) ? entry.Value.Text : "" };
                    if (record.Attach.Length == 0)
                    {
                        Error(at, AttachKind.ProblemOf(entry.Value.Text, 0) ?? "is empty", entry.Value.Text);
                    }

                    break;
                default:
                    Remark(at, "has no effect here");
                    break;
            }
        }

        return record;
    }

    private List<SubnetRecord> ReadIpam(ConfigNode node, string path)
    {
        var result = new List<SubnetRecord>();
        foreach (ConfigEntry entry in Mapping(node, path).Where(entry => entry.Key != "config" && !(entry.Key == "driver" && (entry.Value.Text is "default" or ""))))
        {
            Remark($"{path}.{entry.Key}", "has no effect here");
        }

        ConfigNode[] items = [.. node.Get("config")?.Items ?? []];
        for (int i = 0; i < items.Length; i++)
        {
            string at = $"{path}.config[{i}]";
            foreach (ConfigEntry entry in Mapping(items[i], at).Where(entry => entry.Key is not ("subnet" or "gateway" or "ip_range" or "aux_addresses")))
            {
                Remark($"{at}.{entry.Key}", "has no effect here");
            }

            if (items[i].Get("subnet") is { IsNull: false } subnet)
            {
                result.Add(new SubnetRecord(subnet.Text)
                {
                    Gateway = items[i].Get("gateway")?.Text,
                    Range = items[i].Get("ip_range")?.Text,
                    Reserved = [.. Mapping(items[i].Get("aux_addresses"), $"{at}.aux_addresses").Select(entry => entry.Value.Text)],
                });
            }
            else
            {
                Error($"{at}.subnet", "is missing: an address range such as 172.28.0.0/16 is needed");
            }
        }

        return result;
    }

    private void CheckReferences(List<ComposeNetwork> networks, List<ComposeService> services)
    {
        foreach (ComposeService service in services)
        {
            foreach (ComposeAttachment attachment in service.Attachments.Where(attachment => !networks.Exists(network => network.Key == attachment.Network)))
            {
                Error($"services.{service.Name}.networks", $"names the network {attachment.Network}, which is not among networks", attachment.Network);
            }

            foreach (string other in service.DependsOn.Where(other => !services.Exists(candidate => candidate.Name == other)))
            {
                Error($"services.{service.Name}.depends_on", $"names the service {other}, which is not among services", other);
            }

            if (service.Ports.Count > 0 && service.Attachments.All(attachment => networks.Find(network => network.Key == attachment.Network)?.Record.Internal == true))
            {
                Remark($"services.{service.Name}.ports", "has no effect: the service is on internal networks only, which have no way in");
            }

            if (service.Ports.Count > 0 && service.Replicas > 1)
            {
                Error($"services.{service.Name}.ports", string.Create(CultureInfo.InvariantCulture, $"cannot be published by {service.Replicas} replicas: a port of the host leads to one container"));
            }
        }
    }

    /// <summary>Whoever is depended on first; a circle is an error.</summary>
    private List<ComposeService> InOrder(List<ComposeService> services)
    {
        var ordered = new List<ComposeService>();
        var waiting = new List<ComposeService>(services);
        while (waiting.Count > 0)
        {
            ComposeService? next = waiting.Find(service => service.DependsOn.All(other => !waiting.Exists(left => left.Name == other)));
            if (next is null)
            {
                Error($"services.{waiting[0].Name}.depends_on", $"goes in a circle: {string.Join(", ", waiting.Select(service => service.Name))} wait for each other");
                return ordered;
            }

            ordered.Add(next);
            waiting.Remove(next);
        }

        return ordered;
    }

    /// <summary>How the networks of a project are told from others.</summary>
    public static string OwnerOf(string project) => $"compose:{project}";

    private string RealName(string key) => ComposeLayout.NetworkName(_project, key);

    private IReadOnlyList<ConfigEntry> Mapping(ConfigNode? node, string path)
    {
        if (node is null || node.IsNull)
        {
            return [];
        }

        if (node.Kind != ConfigNodeKind.Mapping)
        {
            Error(path, $"is {KindOf(node)} where a mapping is needed");
            return [];
        }

        CheckUnique(node, path);
        return node.Entries;
    }

    private static string KindOf(ConfigNode node) => node.Kind switch
    {
        ConfigNodeKind.Sequence => "a list",
        ConfigNodeKind.Mapping => "a mapping",
        _ => "a single value",
    };

    private void CheckUnique(ConfigNode node, string path)
    {
        foreach (IGrouping<string, ConfigEntry> twice in node.Entries.GroupBy(entry => entry.Key).Where(group => group.Count() > 1))
        {
            Error(path.Length == 0 ? twice.Key : $"{path}.{twice.Key}", "is there twice; a key may be there once");
        }
    }

    private bool Flag(ConfigNode node, string path)
    {
        bool isTrue = node.Text is "true" or "True" or "TRUE" or "yes" or "on";
        if (!isTrue && node.Text is not ("false" or "False" or "FALSE" or "no" or "off"))
        {
            Error(path, "is not true or false", node.Text);
        }

        return isTrue;
    }

    private int Number(ConfigNode node, string path, int least, int most)
    {
        if (int.TryParse(node.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most)
        {
            return number;
        }

        Error(path, string.Create(CultureInfo.InvariantCulture, $"is not a whole number from {least} to {most}"), node.Text);
        return least;
    }

    private void Error(string path, string message, string? value = null) => _errors.Add(new ConfigurationError(path, message, value));

    private void Remark(string path, string message) => _remarks.Add(new ConfigurationError(path, message));
}
