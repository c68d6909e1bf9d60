using System.Globalization;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Configuration;

/// <summary>The rules for ports.</summary>
internal static class PortChecks
{
    public static void Check(Checks checks, DataplaneSpec spec)
    {
        int count = spec.Ports?.Count ?? 0;
        if (spec.Ports is not null && count is 0 or > SpecLimits.MaxPorts)
        {
            string problem = count == 0 ? "is empty: at least one port is needed" : $"has {count} ports; {SpecLimits.MaxPorts} are allowed";
            checks.Error("ports", problem);
        }

        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var resources = new Dictionary<string, string>(StringComparer.Ordinal);
        HashSet<string> ipv6Ports = [.. (spec.Interfaces ?? []).Where(i => i is { Address.Family: IpFamily.V6, Port: not null }).Select(i => i.Port)];
        foreach ((PortSpec port, string at, int index) in checks.Each(spec.Ports, "ports"))
        {
            string path = port.Name is null ? at : ConfigPath.Key("ports", port.Name);
            checks.Name(path, port.Name, names);
            checks.AddPort(port.Name ?? "", index);
            checks.Known($"{path}.kind", port.Kind, SpecNames.Kinds);
            checks.Known($"{path}.role", port.Role, SpecNames.Roles);
            checks.Known($"{path}.offload", port.Offload, SpecNames.Offloads);
            checks.Known($"{path}.ring", port.Ring, SpecNames.Rings);
            if (port.Factory is null)
            {
                CheckKeysOfKind(checks, port, path);
                CheckInterfaceName(checks, port, path);
                CheckTap(checks, port, path);
                CheckPath(checks, $"{path}.input", port.Input);
                CheckPath(checks, $"{path}.output", port.Output);
                CheckSocket(checks, port, path);
                StreamChecks.Check(checks, port, path);
                CheckShared(checks, port, path, resources);
                CheckTraffic(checks, port, path);
            }

            CheckLinkLayer(checks, port, path, ipv6Ports);
            CheckWorker(checks, port, path, spec.Workers?.Count ?? 1);
            CheckQueues(checks, port, path);
            if (port.Offload == PortOffload.Xdp && (port.Factory is not null || port.Kind is PortKind.AfPacket or PortKind.Tap))
            {
                checks.Error($"{path}.offload", "is for kind af_xdp, whose programs forward by themselves; auto and off are allowed", "xdp");
            }

        }
    }

    /// <summary>A value that the kind has no use for is a mistake in one of the two; passing it over would hide which.</summary>
    private static void CheckKeysOfKind(Checks checks, PortSpec port, string path)
    {
        (string Key, string? Value, bool IsSet)[] values =
        [
            ("interface", port.Interface, !string.IsNullOrEmpty(port.Interface)),
            ("input", port.Input, !string.IsNullOrEmpty(port.Input)),
            ("output", port.Output, !string.IsNullOrEmpty(port.Output)),
            ("socket", port.Socket, !string.IsNullOrEmpty(port.Socket)),
            ("endpoint", port.Endpoint, !string.IsNullOrEmpty(port.Endpoint)),
            ("tls", null, port.Tls is not null),
            ("id", port.Id.ToString(CultureInfo.InvariantCulture), port.Id != 0),
            ("role", SpecNames.Roles.NameOf(port.Role) ?? "", port.Role == PortRole.Server),
            ("queues", port.Queues.ToString(CultureInfo.InvariantCulture), port.Queues != 1),
            ("take", null, port.Take is { Count: > 0 }),
            ("leave", null, port.Leave is { Count: > 0 }),
            ("netns", port.NetworkNamespace, !string.IsNullOrEmpty(port.NetworkNamespace)),
            ("fd", port.Descriptor?.ToString(CultureInfo.InvariantCulture), port.Descriptor is not null),
            ("offload", SpecNames.Offloads.NameOf(port.Offload) ?? "", port.Offload != PortOffload.Auto),
            ("ring", SpecNames.Rings.NameOf(port.Ring) ?? "", port.Ring != AfPacketRing.Slots),
        ];
        foreach ((string key, string? value, bool isSet) in values)
        {
            if (isSet && SpecNames.Kinds.NameOf(port.Kind) is not null && ConfigKeys.MisplacedPortKey(key, port.Kind) is { } problem)
            {
                checks.Error($"{path}.{key}", problem, value);
            }
        }
    }

    /// <summary>The kernel's own rule for names of devices (dev_valid_name in net/core/dev.c).</summary>
    private static void CheckInterfaceName(Checks checks, PortSpec port, string path)
    {
        if (port.Kind is not (PortKind.AfPacket or PortKind.AfXdp or PortKind.Tap))
        {
            return;
        }

        string name = port.Interface ?? "";
        if (name.Length == 0 && port is { Kind: PortKind.Tap, Descriptor: not null })
        {
            return;
        }

        if (name.Length == 0)
        {
            string what = port.Kind == PortKind.Tap ? "the TAP device" : "a network interface";
            checks.Error($"{path}.interface", $"is missing: kind {SpecNames.Kinds.NameOf(port.Kind)} needs the name of {what}, such as eth0");
        }
        else if (name.Length > SpecLimits.MaxInterfaceNameLength || name is "." or ".."
            || name.Any(character => character is <= ' ' or > '~' or '/' or ':'))
        {
            checks.Error($"{path}.interface",
                $"is not the name of an interface: 1 to {SpecLimits.MaxInterfaceNameLength} visible ASCII characters without '/' and ':' are needed", name);
        }
    }

    /// <summary>A device that is handed in has its name and its place already.</summary>
    private static void CheckTap(Checks checks, PortSpec port, string path)
    {
        if (port.Kind != PortKind.Tap)
        {
            return;
        }

        CheckPath(checks, $"{path}.netns", port.NetworkNamespace);
        if (port.Descriptor is not { } descriptor)
        {
            return;
        }

        checks.Range($"{path}.fd", descriptor, SpecLimits.Descriptor);
        foreach ((string key, string? value) in new[] { ("interface", port.Interface), ("netns", port.NetworkNamespace) })
        {
            if (!string.IsNullOrEmpty(value))
            {
                checks.Error($"{path}.{key}", "goes not with fd: the device that is handed in has it already; remove one of the two", value);
            }
        }
    }

    private static void CheckPath(Checks checks, string path, string? file)
    {
        if (file is not null && file.Contains('\0', StringComparison.Ordinal))
        {
            checks.Error(path, "is not the path of a file: a zero character ends it", file);
        }
    }

    private static void CheckSocket(Checks checks, PortSpec port, string path)
    {
        if (port.Kind is not (PortKind.Memif or PortKind.Stream) || (port.Kind == PortKind.Stream && !string.IsNullOrEmpty(port.Endpoint)))
        {
            return;
        }

        // struct sockaddr_un has room for 108 bytes, the terminating zero included.
        int length = System.Text.Encoding.UTF8.GetByteCount(port.Socket ?? "");
        if (length == 0)
        {
            string other = port.Kind == PortKind.Stream ? ", or an endpoint, such as 198.51.100.1:7000" : "";
            checks.Error($"{path}.socket", $"is missing: kind {SpecNames.Kinds.NameOf(port.Kind)} needs the path of a socket, such as /run/dataplane/lan.sock{other}");
        }
        else if (length > 107 || port.Socket!.Contains('\0', StringComparison.Ordinal))
        {
            checks.Error($"{path}.socket", "is not the path of a socket: 1 to 107 bytes without a zero are needed", port.Socket);
        }
    }

    /// <summary>Two ports on one interface would each receive every frame, two on one socket or output file would destroy each other's.</summary>
    private static void CheckShared(Checks checks, PortSpec port, string path, Dictionary<string, string> resources)
    {
        (string key, string? value, string resource) = port.Kind switch
        {
            PortKind.Tap when port.Descriptor is { } number => ("fd", number.ToString(CultureInfo.InvariantCulture), $"descriptor {number}"),
            PortKind.Tap when !string.IsNullOrEmpty(port.NetworkNamespace) => ("interface", port.Interface, $"interface {port.Interface} in {port.NetworkNamespace}"),
            PortKind.AfPacket or PortKind.AfXdp or PortKind.Tap => ("interface", port.Interface, $"interface {port.Interface}"),
            PortKind.Memif => ("socket", port.Socket, $"socket {port.Socket} id {port.Id}"),
            PortKind.Stream when port.Role == PortRole.Server => string.IsNullOrEmpty(port.Endpoint)
                ? ("socket", port.Socket, $"socket {port.Socket}") : ("endpoint", port.Endpoint, $"endpoint {port.Endpoint}"),
            PortKind.Pcap => ("output", port.Output, $"output {port.Output}"),
            _ => ("", null, ""),
        };
        if (string.IsNullOrEmpty(value))
        {
            return;
        }

        if (!resources.TryAdd(resource, path))
        {
            checks.Error($"{path}.{key}", $"is used by {resources[resource]} already; each port needs its own", value);
        }

        if (port.Kind == PortKind.Pcap && port.Input == port.Output)
        {
            checks.Error($"{path}.output", "is the input as well, which would be overwritten while it is read", value);
        }
    }

    private static void CheckTraffic(Checks checks, PortSpec port, string path)
    {
        int count = (port.Take?.Count ?? 0) + (port.Leave?.Count ?? 0);
        if (count > XdpRedirectProgram.MaxRules)
        {
            checks.Error($"{path}.take", $"has {count} rules with leave; {XdpRedirectProgram.MaxRules} are allowed");
        }

        foreach ((string key, TrafficRules? rules) in new[] { ("take", port.Take), ("leave", port.Leave) })
        {
            foreach ((TrafficRule rule, string at, int _) in checks.Each(rules, $"{path}.{key}"))
            {
                FilterChecks.CheckPrefix(checks, rule.To, $"{at}.to");
                FilterChecks.CheckPorts(checks, rule.ToPort, rule.Protocol, $"{at}.to_port");
                if (rule is { To: null, Protocol: null, ToPort: null })
                {
                    checks.Error(at, "says nothing: to, protocol or both are needed");
                }
            }
        }
    }

    private static void CheckWorker(Checks checks, PortSpec port, string path, int workers)
    {
        if (port.Worker is { } worker && (worker < 0 || worker >= workers) && SpecLimits.WorkerCount.Contains(workers))
        {
            string which = workers == 1 ? "there is one worker, number 0" : $"there are {workers} workers, numbers 0 to {workers - 1}";
            checks.Error($"{path}.worker", $"is not the number of a worker: {which}", worker.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void CheckQueues(Checks checks, PortSpec port, string path)
    {
        checks.Range($"{path}.queues", port.Queues, SpecLimits.Queues);
        if (port is { Queues: > 1, Kind: PortKind.Tap, Descriptor: not null })
        {
            checks.Error($"{path}.queues", "goes not with fd: the descriptor that is handed in is one queue; remove one of the two",
                port.Queues.ToString(CultureInfo.InvariantCulture));
        }
        else if (port.Queues > 1 && port.Factory is not (null or IQueueFactory))
        {
            checks.Error($"{path}.queues", "is more than 1: the factory that was handed in opens ports of one queue",
                port.Queues.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void CheckLinkLayer(Checks checks, PortSpec port, string path, HashSet<string> ipv6Ports)
    {
        if (port.Mac is { } mac)
        {
            checks.Mac($"{path}.mac", mac);
        }

        if (port.Mtu is not { } mtu)
        {
            return;
        }

        checks.Range($"{path}.mtu", mtu, SpecLimits.Mtu);
        if (SpecLimits.Mtu.Contains(mtu) && mtu < SpecLimits.MinIpv6Mtu && ipv6Ports.Contains(port.Name ?? ""))
        {
            checks.Error($"{path}.mtu", $"is too small: the port has an IPv6 address, and IPv6 needs {SpecLimits.MinIpv6Mtu} or more (RFC 8200, section 5)",
                mtu.ToString(CultureInfo.InvariantCulture));
        }
    }
}
