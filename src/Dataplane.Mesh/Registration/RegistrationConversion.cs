using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Mesh.Configuration;
using Dataplane.Mesh.Services;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Registration;

/// <summary>Checks what is registered, and makes services and endpoints of it.</summary>
internal static class RegistrationConversion
{
    /// <summary>What is wrong with a name in a path; null when nothing.</summary>
    public static string? ProblemOfName(string what, string name) =>
        DomainName.ProblemOfLabel(name) is { } problem ? $"{what} \"{name}\": {problem.Replace("has a label of", "has", StringComparison.Ordinal)}" : null;

    /// <summary>What is wrong with an endpoint; null when nothing.</summary>
    public static string? ProblemOf(EndpointRegistration endpoint)
    {
        if (!IpAddress.TryParse(endpoint.Address ?? "", out IpAddress address) || address.IsMulticast || address.IsUnspecified || address.IsLoopback || address.IsLinkLocal)
        {
            return $"address \"{endpoint.Address}\": an IPv4 or IPv6 address of one host is needed";
        }

        foreach ((string name, int port) in endpoint.Ports ?? new Dictionary<string, int>())
        {
            if (port is < 1 or > ushort.MaxValue)
            {
                return $"ports.{name}: {port} is not a port from 1 to 65535";
            }
        }

        if (endpoint.Weight is < 0 or > ushort.MaxValue)
        {
            return $"weight: {endpoint.Weight} is not a number from 0 to 65535";
        }

        if (endpoint.LeaseSeconds is < 1 or > 3600)
        {
            return $"leaseSeconds: {endpoint.LeaseSeconds} is not a number from 1 to 3600";
        }

        return endpoint.Hostname is { Length: > 0 } host && ProblemOfName("hostname", host) is { } problem ? problem : ProblemOf(endpoint.ServicePorts, "servicePorts");
    }

    /// <summary>What is wrong with a service; null when nothing.</summary>
    public static string? ProblemOf(ServiceRegistration service)
    {
        if (!MeshKeys.Kinds.TryRead(service.Kind ?? "", out MeshServiceKind kind) || kind == MeshServiceKind.ExternalName)
        {
            return $"kind \"{service.Kind}\": is not cluster_ip, node_port, load_balancer or headless";
        }

        if (!SpecNames.Policies.TryRead(service.Balance ?? "", out _))
        {
            return $"balance \"{service.Balance}\": {SpecNames.Policies.Problem}";
        }

        return service.Ports is { Count: > 0 } || kind == MeshServiceKind.Headless ? ProblemOf(service.Ports, "ports") : "ports: one at least is needed";
    }

    /// <summary>A service of what was registered.</summary>
    public static MeshServiceSpec ToSpec(string space, string name, ServiceRegistration service)
    {
        MeshKeys.Kinds.TryRead(service.Kind, out MeshServiceKind kind);
        SpecNames.Policies.TryRead(service.Balance, out Balancing.BalancePolicy balance);
        return new MeshServiceSpec { Name = name, Namespace = space, Kind = kind, Balance = balance, Selector = service.Selector ?? new Dictionary<string, string>(), Ports = Ports(service.Ports) };
    }

    /// <summary>An endpoint of what was registered.</summary>
    public static MeshEndpointSpec ToSpec(string space, string service, string id, EndpointRegistration endpoint) => new()
    {
        Name = id,
        Namespace = space,
        Service = service,
        Address = IpAddress.Parse(endpoint.Address),
        Ports = (endpoint.Ports ?? new Dictionary<string, int>()).ToDictionary(port => port.Key, port => (ushort)port.Value, StringComparer.Ordinal),
        Weight = endpoint.Weight,
        IsReady = endpoint.Ready,
        Labels = endpoint.Labels ?? new Dictionary<string, string>(),
        Hostname = endpoint.Hostname ?? "",
    };

    /// <summary>Ports of a service of what was registered.</summary>
    public static IReadOnlyList<MeshPortSpec> Ports(IReadOnlyList<ServicePortRegistration>? ports) =>
        [.. (ports ?? []).Select(port => new MeshPortSpec
        {
            Name = port.Name ?? "",
            Port = (ushort)port.Port,
            TargetPort = port.TargetPort ?? "",
            Protocol = port.Protocol == "udp" ? IpProtocols.Udp : IpProtocols.Tcp,
        })];

    private static string? ProblemOf(IReadOnlyList<ServicePortRegistration>? ports, string path)
    {
        for (int index = 0; index < (ports?.Count ?? 0); index++)
        {
            ServicePortRegistration? port = ports![index];
            string at = string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]");
            if (port is null || port.Port is < 1 or > ushort.MaxValue)
            {
                return $"{at}.port: {port?.Port} is not a port from 1 to 65535";
            }

            if (port.Protocol is not ("tcp" or "udp"))
            {
                return $"{at}.protocol: \"{port.Protocol}\" is not tcp or udp";
            }

            if (port.Name is { Length: > 0 } && ProblemOfName($"{at}.name", port.Name) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }
}
