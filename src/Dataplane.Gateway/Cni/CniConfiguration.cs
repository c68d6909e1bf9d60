using System.Text.Json;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Cni;

/// <summary>What a runtime gives on standard input.</summary>
internal sealed class CniConfiguration
{
    /// <summary>The versions that are answered, oldest first.</summary>
    public static readonly string[] Versions = ["0.4.0", "1.0.0", "1.1.0"];

    private readonly JsonElement _root;

    private CniConfiguration(JsonElement root) => _root = root;

    public string Version => Text(_root, "cniVersion");

    /// <summary>Name of the network: of the configuration, or another that <c>network</c> says.</summary>
    public string Network => Text(_root, "network") is { Length: > 0 } own ? own : Text(_root, "name");

    /// <summary>Where the network service listens.</summary>
    public string Socket => Text(_root, "socket") is { Length: > 0 } path ? path : ServeOptions.DefaultSocket;

    public JsonElement? PreviousResult => Get(_root, "prevResult");

    private JsonElement? Runtime => Get(_root, "runtimeConfig");

    /// <exception cref="CniException">It is not a JSON object.</exception>
    public static CniConfiguration Parse(string text)
    {
        try
        {
            JsonElement root = JsonDocument.Parse(text).RootElement;
            return root.ValueKind == JsonValueKind.Object
                ? new CniConfiguration(root) : throw new CniException(CniCode.Undecodable, "the configuration on standard input is not a JSON object");
        }
        catch (JsonException wrong)
        {
            throw new CniException(CniCode.Undecodable, "the configuration on standard input cannot be read", wrong.Message);
        }
    }

    /// <exception cref="CniException">The version is none of ours, or the network has no name.</exception>
    public void Demand(string command)
    {
        if (!Versions.Contains(Version))
        {
            throw new CniException(CniCode.IncompatibleVersion, $"incompatible CNI versions: config is \"{(Version.Length > 0 ? Version : "0.1.0")}\", plugin supports [{string.Join(' ', Versions)}]");
        }

        if (command is "STATUS" or "GC" && Version != "1.1.0")
        {
            throw new CniException(CniCode.IncompatibleVersion, $"config version {Version} does not allow {command}; 1.1.0 does");
        }

        if (Network.Length == 0)
        {
            throw new CniException(CniCode.InvalidConfiguration, "missing network name");
        }
    }

    /// <summary>The network as it is made when it is not there yet.</summary>
    public NetworkRecord ToNetwork() => new(Network)
    {
        Subnets = [.. Items(_root, "subnets").Select(ToSubnet)],
        Ipv6 = Flag(_root, "ipv6"),
        Internal = Flag(_root, "internal"),
        Isolate = Flag(_root, "isolate"),
        RouterAdvertisements = Flag(_root, "routerAdvertisements"),
        Dhcp = Flag(_root, "dhcp"),
        Attach = Text(_root, "attach"),
        Search = [.. Strings(_root, "search")],
        Underlay = Text(_root, "underlay") is { Length: > 0 } underlay ? underlay : null,
        Mtu = Get(_root, "mtu") is { ValueKind: JsonValueKind.Number } mtu && mtu.TryGetInt32(out int bytes) && bytes > 0 ? bytes : 1500,
        Reach = [.. Items(_root, "reach").Select(item => item.ToString())],
        Owner = "cni",
    };

    /// <summary>The endpoint that is asked for, with what the runtime's capabilities say.</summary>
    /// <exception cref="CniException">A capability has a value that means nothing.</exception>
    public EndpointRecord ToEndpoint(CniEnvironment environment)
    {
        string[] addresses = [.. Strings(Runtime, "ips").Append(environment.Argument("IP")).Where(text => text.Length > 0).Select(text => text.Split('/')[0]).Distinct()];
        string mac = Runtime is { } runtime && Text(runtime, "mac") is { Length: > 0 } given ? given : environment.Argument("MAC");
        return new EndpointRecord(environment.ContainerId, environment.Interface)
        {
            Namespace = environment.Namespace,
            Name = environment.Argument("K8S_POD_NAME"),
            Addresses = addresses,
            Mac = mac.Length > 0 ? mac : null,
            Aliases = Aliases(),
            Ports = [.. Items(Runtime, "portMappings").Select(ToPort).Where(port => port.HostPort != 0)],
            ReservePorts = Flag(_root, "reservePorts"),
            Attach = Text(_root, "attach"),
            Rate = Rate(),
            DefaultRoute = Get(_root, "isDefaultGateway") is not { ValueKind: JsonValueKind.False },
        };
    }

    /// <summary>Name servers, domains and options of the result: the runtime's, else the configuration's.</summary>
    public (string[] Servers, string[] Search, string[] Options, string Domain) Dns()
    {
        if (Runtime is { } runtime && Get(runtime, "dns") is { } dynamic)
        {
            return (Strings(dynamic, "servers"), Strings(dynamic, "searches"), Strings(dynamic, "options"), "");
        }

        JsonElement? own = Get(_root, "dns");
        return (Strings(own, "nameservers"), Strings(own, "search"), Strings(own, "options"), own is { } dns ? Text(dns, "domain") : "");
    }

    /// <summary>Keys of the attachments that the runtime knows of.</summary>
    /// <exception cref="CniException">It says nothing of them: then nobody may be detached.</exception>
    public IReadOnlyList<string> ValidAttachments() =>
        (Get(_root, "cni.dev/valid-attachments") ?? Get(_root, "cni.dev/attachments")) is { ValueKind: JsonValueKind.Array } valid
            ? [.. valid.EnumerateArray().Select(item => $"{Text(item, "containerID")}/{Text(item, "ifname")}")]
            : throw new CniException(CniCode.InvalidConfiguration, "GC without cni.dev/valid-attachments");

    internal static JsonElement? Get(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    internal static string Text(JsonElement parent, string name) => Get(parent, name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";

    internal static IEnumerable<JsonElement> Items(JsonElement? parent, string name) =>
        parent is { } known && Get(known, name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    private static string[] Strings(JsonElement? parent, string name) => [.. Items(parent, name).Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)];

    private static bool Flag(JsonElement parent, string name) => Get(parent, name) is { ValueKind: JsonValueKind.True };

    private static SubnetRecord ToSubnet(JsonElement item) => item.ValueKind == JsonValueKind.String ? new SubnetRecord(item.GetString()!) : new SubnetRecord(Text(item, "subnet"))
    {
        Gateway = Text(item, "gateway") is { Length: > 0 } gateway ? gateway : null,
        Range = Text(item, "range") is { Length: > 0 } range ? range : null,
        Reserved = Strings(item, "reserved"),
    };

    private static PublishedPort ToPort(JsonElement item)
    {
        string protocol = Text(item, "protocol") is { Length: > 0 } given ? given.ToLowerInvariant() : "tcp";
        return new PublishedPort((int)Number(item, "hostPort", 65535), (int)Number(item, "containerPort", 65535)) { Protocol = protocol, HostAddress = Text(item, "hostIP") };
    }

    private static long Number(JsonElement item, string name, long most)
    {
        long number = 0;
        return Get(item, name) is not { } value || (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out number) && number >= 0 && number <= most)
            ? number : throw new CniException(CniCode.InvalidConfiguration, $"{name} {value} is not a whole number from 0 to {most}");
    }

    /// <summary>A list by the conventions; podman gives a list for each network.</summary>
    private string[] Aliases() => Runtime is not { } runtime || Get(runtime, "aliases") is not { } aliases ? []
        : aliases.ValueKind == JsonValueKind.Array ? Strings(runtime, "aliases") : Strings(aliases, Text(_root, "name"));

    /// <summary>The conventions count rates and bursts in bits; 0 is no limit.</summary>
    private RateRecord? Rate()
    {
        if (Runtime is not { } runtime || Get(runtime, "bandwidth") is not { } bandwidth)
        {
            return null;
        }

        long? Rate(string name) => Number(bandwidth, name, 1_000_000_000_000) is > 0 and long bits ? Math.Max(bits, 1000) : null;
        long? Burst(string name) => Number(bandwidth, name, long.MaxValue) is > 0 and long bits ? Math.Clamp(bits / 8, 1600, uint.MaxValue) : null;
        (long? into, long? outOf) = (Rate("ingressRate"), Rate("egressRate"));
        return new RateRecord(into, outOf, into is null ? null : Burst("ingressBurst"), outOf is null ? null : Burst("egressBurst"));
    }
}
