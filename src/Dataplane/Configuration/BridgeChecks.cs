using System.Globalization;
using Dataplane.Bridging;
using Dataplane.Ports;

namespace Dataplane.Configuration;

/// <summary>The rules for learning bridges and their ports.</summary>
internal static class BridgeChecks
{
    private const string Alone = "; a bridge's port is the bridge's alone: remove one of the two";

    public static void Check(Checks checks, DataplaneSpec spec)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var ports = new Dictionary<string, string>(StringComparer.Ordinal);
        Dictionary<string, string> taken = spec.Bridges is { Count: > 0 } ? Taken(spec) : [];
        foreach ((BridgeSpec bridge, string path, _) in checks.Each(spec.Bridges, "bridges"))
        {
            checks.Name($"{path}.name", bridge.Name, names);
            checks.Range($"{path}.entries", bridge.Entries, SpecLimits.BridgeEntries);
            LinkSettingsChecks.CheckSeconds(checks, $"{path}.ageing", bridge.Ageing, SpecLimits.BridgeAgeing);
            checks.Range($"{path}.unknown", bridge.Unknown, SpecLimits.BridgeRate);
            checks.Range($"{path}.broadcast", bridge.Broadcast, SpecLimits.BridgeRate);
            checks.Range($"{path}.multicast", bridge.Multicast, SpecLimits.BridgeRate);
            checks.Range($"{path}.moves", bridge.Moves, SpecLimits.BridgeRate);
            if (bridge.Ports is { Count: < 2 })
            {
                checks.Error($"{path}.ports", "has fewer than two ports: nothing could leave such a bridge");
            }

            foreach ((BridgePortSpec port, string at, _) in checks.Each(bridge.Ports, $"{path}.ports"))
            {
                CheckPort(checks, bridge, port, at, ports, taken);
            }
        }
    }

    private static void CheckPort(Checks checks, BridgeSpec bridge, BridgePortSpec port, string path, Dictionary<string, string> ports, Dictionary<string, string> taken)
    {
        if (checks.IsPort($"{path}.port", port.Port))
        {
            string? problem = taken.TryGetValue(port.Port, out string? use) ? use
                : !ports.TryAdd(port.Port, path) ? $"is the port of {ports[port.Port]} already; each port belongs to one bridge, once" : null;
            if (problem is not null)
            {
                checks.Error($"{path}.port", problem, port.Port);
            }
        }

        if (port.Horizon is null || (port.Horizon.Length > 0 && !SpecNames.IsName(port.Horizon)))
        {
            checks.Error($"{path}.horizon", SpecNames.NameProblem, port.Horizon);
        }

        if (port.Hosts is { } hosts && (hosts < 1 || hosts > bridge.Entries))
        {
            checks.Error($"{path}.hosts", string.Create(CultureInfo.InvariantCulture, $"is not from 1 to {bridge.Entries}, the addresses that the bridge remembers (entries)"),
                hosts.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Ports that are something else already, and what.</summary>
    private static Dictionary<string, string> Taken(DataplaneSpec spec)
    {
        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (PortSpec port in (spec.Ports ?? []).Where(port => port?.Name is not null))
        {
            string? use = port.Kind == PortKind.Vxlan ? "is of the kind vxlan, which only overlays use"
                : port.Queues > 1 ? "has several queues; a bridge's port has one, so that its limits hold for all that comes by it"
                : null;
            if (use is not null)
            {
                taken.TryAdd(port.Name, use);
            }
        }

        foreach (string? name in (spec.Interfaces ?? []).Select(entry => entry?.Port))
        {
            taken.TryAdd(name ?? "", "has an interface" + Alone);
        }

        foreach (string? name in (spec.Networks ?? []).SelectMany(network => network?.Endpoints ?? []).Select(endpoint => endpoint?.Port))
        {
            taken.TryAdd(name ?? "", "is the port of an endpoint" + Alone);
        }

        foreach (string? name in (spec.Networks ?? []).SelectMany(network => network?.Overlay?.Links ?? []).Select(link => link?.Port))
        {
            taken.TryAdd(name ?? "", "is a link of an overlay" + Alone);
        }

        return taken;
    }
}
