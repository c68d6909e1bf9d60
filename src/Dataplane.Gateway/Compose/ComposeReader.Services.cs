using System.Globalization;
using System.Text;
using Dataplane.Configuration;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

// The services of a compose file.
internal sealed partial class ComposeReader
{
    private static readonly string[] s_effective =
        ["command", "entrypoint", "networks", "network_mode", "image", "environment", "working_dir", "hostname", "scale", "deploy", "ports", "depends_on", "container_name"];

    private ComposeService ReadService(string name, ConfigNode node, string path)
    {
        var service = new ComposeService(name);
        var entrypoint = new List<string>();
        var command = new List<string>();
        bool hasNetworks = false;
        foreach (ConfigEntry entry in Mapping(node, path))
        {
            string at = $"{path}.{entry.Key}";
            hasNetworks |= entry.Key is "networks" or "network_mode";
            switch (entry.Key)
            {
                case "command":
                    command.AddRange(Words(entry.Value, at));
                    break;
                case "entrypoint":
                    entrypoint.AddRange(Words(entry.Value, at));
                    break;
                case "networks":
                    service = service with { Attachments = ReadAttachments(entry.Value, at) };
                    break;
                case "network_mode" when entry.Value.Text == "none":
                    service = service with { IsAlone = true };
                    break;
                default:
                    service = ReadSimple(service, entry, at);
                    break;
            }
        }

        if (!hasNetworks)
        {
            service = service with { Attachments = [new ComposeAttachment("default")] };
        }

        return service with { Command = [.. entrypoint, .. command], EntryPointWords = entrypoint.Count };
    }

    private ComposeService ReadSimple(ComposeService service, ConfigEntry entry, string path)
    {
        switch (entry.Key)
        {
            case "image":
                return service with { Image = entry.Value.Text };
            case "environment":
                return service with { Environment = ReadEnvironment(entry.Value, path) };
            case "working_dir":
                return service with { WorkingDirectory = entry.Value.Text };
            case "hostname":
                return service with { HostName = entry.Value.Text };
            case "scale":
                return service with { Replicas = Number(entry.Value, path, 0, 100) };
            case "deploy":
                return ReadDeploy(service, entry.Value, path);
            case "ports":
                return service with { Ports = [.. List(entry.Value, path).SelectMany(item => ReadPort(item.Node, item.Path))] };
            case "depends_on":
                return service with { DependsOn = [.. entry.Value.Kind == ConfigNodeKind.Mapping ? entry.Value.Entries.Select(other => other.Key) : entry.Value.Items.Select(other => other.Text)] };
            case "mac_address":
                Remark(path, "has no effect here; mac_address of an entry of networks has");
                return service;
            case "network_mode":
                Error(path, "is not possible here; none is, or networks", entry.Value.Text);
                return service;

            // Documentation of ports that are reachable anyway, and words for people.
            case "expose" or "labels" or "container_name" or "annotations":
                return service;
            case ['x', '-', ..]:
                return service;
            default:
                Remark(path, $"has no effect here{Suggestion(entry.Key)}");
                return service;
        }
    }

    /// <summary>What a key that nobody knows most likely was to be.</summary>
    private static string Suggestion(string key)
    {
        string meant = ArgumentParser.Suggestion(key, s_effective);
        return meant.Length > 0 ? $".{meant}" : "";
    }

    private ComposeService ReadDeploy(ComposeService service, ConfigNode node, string path)
    {
        foreach (ConfigEntry entry in Mapping(node, path))
        {
            if (entry.Key == "replicas")
            {
                service = service with { Replicas = Number(entry.Value, $"{path}.replicas", 0, 100) };
            }
            else
            {
                Remark($"{path}.{entry.Key}", "has no effect here");
            }
        }

        return service;
    }

    private IReadOnlyList<ComposeAttachment> ReadAttachments(ConfigNode node, string path)
    {
        if (node.Kind == ConfigNodeKind.Sequence)
        {
            return [.. node.Items.Select(item => new ComposeAttachment(item.Text))];
        }

        var result = new List<ComposeAttachment>();
        foreach (ConfigEntry network in Mapping(node, path))
        {
            var attachment = new ComposeAttachment(network.Key);
            foreach (ConfigEntry entry in Mapping(network.Value, $"{path}.{network.Key}"))
            {
                string at = $"{path}.{network.Key}.{entry.Key}";
                switch (entry.Key)
                {
                    case "aliases":
                        attachment = attachment with { Aliases = [.. List(entry.Value, at).Select(item => item.Node.Text)] };
                        break;
                    case "ipv4_address" or "ipv6_address":
                        attachment = attachment with { Addresses = [.. attachment.Addresses, entry.Value.Text] };
                        break;
                    case "mac_address":
                        attachment = attachment with { Mac = entry.Value.Text };
                        break;
                    case "priority":
                        attachment = attachment with { Priority = Number(entry.Value, at, 0, int.MaxValue) };
                        break;
                    default:
                        Remark(at, "has no effect here");
                        break;
                }
            }

            result.Add(attachment);
        }

        return [.. result.OrderByDescending(attachment => attachment.Priority)];
    }

    private IEnumerable<PublishedPort> ReadPort(ConfigNode node, string path)
    {
        if (node.Kind == ConfigNodeKind.Mapping)
        {
            return ReadLongPort(node, path);
        }

        try
        {
            PublishedPort port = PortText.Parse(node.Text);
            NetworkRequests.CheckPorts([port]);
            return [port];
        }
        catch (Exception wrong) when (wrong is FormatException or NetworkException)
        {
            Error(path, wrong.Message);
            return [];
        }
    }

    private IEnumerable<PublishedPort> ReadLongPort(ConfigNode node, string path)
    {
        foreach (ConfigEntry entry in Mapping(node, path).Where(entry => entry.Key is not ("target" or "published" or "host_ip" or "protocol" or "mode" or "name" or "app_protocol")))
        {
            Remark($"{path}.{entry.Key}", "has no effect here");
        }

        string Text(string key) => node.Get(key) is { IsNull: false } value ? value.Text : "";
        string host = Text("host_ip"), published = Text("published"), protocol = Text("protocol");
        string whole = $"{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}{(host.Length > 0 ? ":" : "")}{published}:{Text("target")}{(protocol.Length > 0 ? "/" : "")}{protocol}";
        return published.Length == 0
            ? Missing($"{path}.published", "is missing: the host's port is needed")
            : ReadPort(ConfigNode.Scalar(whole, isQuoted: true), path);
    }

    private IEnumerable<PublishedPort> Missing(string path, string message)
    {
        Error(path, message);
        return [];
    }

    private IReadOnlyList<KeyValuePair<string, string>> ReadEnvironment(ConfigNode node, string path)
    {
        if (node.Kind == ConfigNodeKind.Mapping)
        {
            return [.. Mapping(node, path).Select(entry => KeyValuePair.Create(entry.Key, entry.Value.IsNull ? Environment.GetEnvironmentVariable(entry.Key) ?? "" : entry.Value.Text))];
        }

        return [.. List(node, path).Select(item => item.Node.Text.Split('=', 2))
            .Select(pair => KeyValuePair.Create(pair[0], pair.Length > 1 ? pair[1] : Environment.GetEnvironmentVariable(pair[0]) ?? ""))];
    }

    private IEnumerable<(ConfigNode Node, string Path)> List(ConfigNode node, string path)
    {
        if (node.Kind != ConfigNodeKind.Sequence)
        {
            Error(path, $"is {KindOf(node)} where a list is needed");
            return [];
        }

        return node.Items.Select((item, index) => (item, string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]")));
    }

    /// <summary>A list of words, or one text that is divided as a shell would.</summary>
    private List<string> Words(ConfigNode node, string path)
    {
        if (node.Kind == ConfigNodeKind.Sequence)
        {
            return [.. node.Items.Select(item => item.Text)];
        }

        var words = new List<string>();
        var word = new StringBuilder();
        bool isOpen = false;
        char quote = '\0';
        for (int i = 0; i < node.Text.Length; i++)
        {
            char letter = node.Text[i];
            if (quote == '\0' && char.IsWhiteSpace(letter))
            {
                if (isOpen)
                {
                    words.Add(word.ToString());
                }

                (isOpen, _) = (false, word.Clear());
                continue;
            }

            isOpen = true;
            if (quote == '\0' && (letter is '"' or '\''))
            {
                quote = letter;
            }
            else if (letter == quote)
            {
                quote = '\0';
            }
            else if (letter == '\\' && quote != '\'' && i + 1 < node.Text.Length)
            {
                word.Append(node.Text[++i]);
            }
            else
            {
                word.Append(letter);
            }
        }

        if (quote != '\0')
        {
            Error(path, "has a quotation mark that is never closed", node.Text);
        }

        return isOpen ? [.. words, word.ToString()] : words;
    }
}
