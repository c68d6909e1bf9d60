using System.Text.Json;
using System.Text.Json.Nodes;
using Dataplane.Gateway.Networks;
using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Cni;

/// <summary>What a plugin prints: results and errors of each version, to the letter.</summary>
internal static class CniResult
{
    /// <summary>The result of ADD; what plugins before had made stays in it.</summary>
    public static JsonObject OfAttachment(CniConfiguration configuration, AttachReply made)
    {
        (EndpointRecord endpoint, NetworkRecord network) = (made.Endpoint, made.Network);
        JsonObject result = configuration.PreviousResult is { } previous ? JsonNode.Parse(previous.GetRawText())!.AsObject() : [];
        result["cniVersion"] = configuration.Version;
        JsonArray interfaces = ArrayOf(result, "interfaces"), addresses = ArrayOf(result, "ips"), routes = ArrayOf(result, "routes");
        int index = interfaces.Count;
        var own = new JsonObject { ["name"] = endpoint.Interface, ["mac"] = endpoint.Mac };
        if (configuration.Version == "1.1.0")
        {
            own["mtu"] = network.Mtu;
        }

        own["sandbox"] = endpoint.Namespace;
        if (endpoint.Socket.Length > 0 && configuration.Version == "1.1.0")
        {
            own["socketPath"] = endpoint.Socket;
        }

        interfaces.Add((JsonNode)own);
        InterfaceSettings settings = ContainerNetworks.SettingsOf(network, endpoint);
        foreach (IpPrefix address in settings.Addresses)
        {
            var entry = new JsonObject();
            if (configuration.Version == "0.4.0")
            {
                entry["version"] = address.Family == IpFamily.V4 ? "4" : "6";
            }

            entry["address"] = address.ToString();
            entry["gateway"] = network.Subnets.First(subnet => IpPrefix.Parse(subnet.Subnet).Contains(address.Address)).Gateway;
            entry["interface"] = index;
            addresses.Add((JsonNode)entry);
        }

        foreach (InterfaceRoute route in settings.Routes)
        {
            routes.Add((JsonNode)new JsonObject { ["dst"] = route.To.ToString(), ["gw"] = route.Via?.ToString() });
        }

        AddDns(configuration, network, result);
        return result;
    }

    /// <summary>The answer to VERSION.</summary>
    public static JsonObject OfVersions(string asked) => new()
    {
        ["cniVersion"] = asked.Length > 0 ? asked : CniConfiguration.Versions[^1],
        ["supportedVersions"] = new JsonArray([.. CniConfiguration.Versions.Select(version => (JsonNode)version)]),
    };

    public static JsonObject OfError(string version, CniException error)
    {
        var result = new JsonObject { ["cniVersion"] = version.Length > 0 ? version : CniConfiguration.Versions[^1], ["code"] = error.Code, ["msg"] = error.Message };
        if (error.Details.Length > 0)
        {
            result["details"] = error.Details;
        }

        return result;
    }

    /// <summary>Addresses, by a result, of the interface that is in a namespace.</summary>
    public static IReadOnlyList<IpPrefix> AddressesOf(JsonElement result, string interfaceName, string networkNamespace)
    {
        JsonElement[] interfaces = [.. CniConfiguration.Items(result, "interfaces")];
        int index = Array.FindIndex(interfaces, item => CniConfiguration.Text(item, "name") == interfaceName && CniConfiguration.Text(item, "sandbox") == networkNamespace);
        return index < 0 ? [] : [.. CniConfiguration.Items(result, "ips")
            .Where(item => CniConfiguration.Get(item, "interface") is { ValueKind: JsonValueKind.Number } number && number.GetInt32() == index)
            .Select(item => IpPrefix.TryParse(CniConfiguration.Text(item, "address"), out IpPrefix prefix)
                ? prefix : throw new CniException(CniCode.Undecodable, $"prevResult has the address {item}"))];
    }

    /// <summary>What is configured; else the network's own name server, which knows its containers.</summary>
    private static void AddDns(CniConfiguration configuration, NetworkRecord network, JsonObject result)
    {
        (string[] servers, string[] search, string[] options, string domain) = configuration.Dns();
        servers = servers.Length > 0 ? servers : [.. network.Subnets.Select(subnet => subnet.Gateway!)];
        JsonObject dns = result["dns"] as JsonObject ?? [];
        (string Name, string[] Values)[] lists = [("nameservers", servers), ("search", search), ("options", options)];
        foreach ((string name, string[] values) in lists)
        {
            if (values.Length > 0)
            {
                dns[name] = new JsonArray([.. values.Select(value => (JsonNode)value)]);
            }
        }

        if (domain.Length > 0)
        {
            dns["domain"] = domain;
        }

        result["dns"] = result["dns"] is null ? dns : dns.DeepClone();
    }

    private static JsonArray ArrayOf(JsonObject result, string name)
    {
        if (result[name] is JsonArray there)
        {
            return there;
        }

        var made = new JsonArray();
        result[name] = made;
        return made;
    }
}
