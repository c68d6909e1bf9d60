using System.Globalization;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Switching;

namespace Dataplane.Configuration;

/// <summary>The rules for networks and their endpoints.</summary>
/// <remarks>One look-up per endpoint and address, however many there are: an endpoint more must not cost more with each that is there.</remarks>
internal static class NetworkChecks
{
    /// <summary>Notes names and gateways, and gives the subnets for the check against other prefixes. To be called with the interfaces.</summary>
    public static void Claim(Checks checks, DataplaneSpec spec, List<(IpPrefix Prefix, Link Link, string Path)> connected)
    {
        foreach ((NetworkSpec network, string path, _) in checks.Each(spec.Networks, "networks"))
        {
            checks.AddNetwork(network.Name ?? "");
            var link = Link.OfNetwork(network.Name ?? "");
            for (int index = 0; index < (network.Subnets?.Count ?? 0); index++)
            {
                IpPrefix subnet = network.Subnets![index];
                string at = ConfigPath.Index($"{path}.subnets", index);
                if (!CheckSubnet(checks, subnet, at))
                {
                    checks.Connected.AddUnclear(null);
                    continue;
                }

                if (connected.Find(entry => entry.Link == link && Overlap(entry.Prefix, subnet)) is { Path: { } other })
                {
                    checks.Error(at, $"overlaps {other}; the subnets of a network share no address", subnet.ToString());
                    continue;
                }

                connected.Add((subnet, link, at));
                IpAddress gateway = network.Gateways is null ? default : network.GatewayOf(subnet);
                if (!gateway.IsNone && !checks.TryOwn(gateway, link, path))
                {
                    checks.Error(at, $"has the gateway {gateway}, which is the address of {checks.OwnerOf(gateway, link)} already; choose another in gateways", subnet.ToString());
                }
            }
        }
    }

    public static void Check(Checks checks, DataplaneSpec spec)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var ports = new Dictionary<string, string>(StringComparer.Ordinal);
        HashSet<string> withInterface = [.. (spec.Interfaces ?? []).Where(entry => entry?.Port is not null).Select(entry => entry.Port)];
        HashSet<string> tunnels = [.. (spec.Ports ?? []).Where(port => port is { Kind: PortKind.Vxlan, Name: not null }).Select(port => port.Name)];
        HashSet<string> withQueues = [.. (spec.Ports ?? []).Where(port => port is { Queues: > 1, Name: not null }).Select(port => port.Name)];
        for (int index = 0; index < (spec.Networks?.Count ?? 0); index++)
        {
            if (spec.Networks![index] is not { } network)
            {
                continue;
            }

            string path = ConfigPath.Index("networks", index);
            checks.Name($"{path}.name", network.Name, names);
            if (checks.HasPort(network.Name))
            {
                checks.Error($"{path}.name", "is the name of a port already; rules name both", network.Name);
            }

            CheckSettings(checks, network, path);
            CheckReach(checks, network, path);
            LinkSettingsChecks.Check(checks, spec, network, path);
            var seen = new NetworkNamesSeen(tunnels, withQueues);
            CheckEndpoints(checks, network, path, ports, withInterface, seen);
            OverlayChecks.Check(checks, spec, network, path, ports, withInterface, seen);
        }

        OverlayChecks.CheckIdentifiers(checks, spec);
    }

    private static bool Overlap(IpPrefix a, IpPrefix b) => a.Family == b.Family && (a.Contains(b.First) || b.Contains(a.First));

    private static bool CheckSubnet(Checks checks, IpPrefix subnet, string path)
    {
        string? problem = subnet switch
        {
            { Address.IsNone: true } => "is missing: a prefix such as 10.89.0.0/24 or fd00:89::/64 is needed",
            { HasHostBits: true } => $"has bits set behind its length; the prefix is {subnet.Network}",
            _ when subnet.Address.IsMulticast || subnet.Address.IsLoopback => "is not a range of addresses that hosts may have",
            _ when ConnectedPrefixes.IsLinkScoped(subnet.Address) => "is link-local, which every network is anyway",
            _ when subnet.Length < 4 || subnet.Length > subnet.Address.BitLength - 2 =>
                string.Create(CultureInfo.InvariantCulture, $"has a length that is not 4 to {subnet.Address.BitLength - 2}, with which a gateway and hosts fit in"),
            _ => null,
        };
        if (problem is not null)
        {
            checks.Error(path, problem, subnet.Address.IsNone ? null : subnet.ToString());
        }

        return problem is null;
    }

    private static void CheckSettings(Checks checks, NetworkSpec network, string path)
    {
        if (network.Subnets is not { Count: > 0 })
        {
            checks.Error($"{path}.subnets", "is missing: at least one prefix such as 10.89.0.0/24 is needed");
        }

        if (network.Mac is { } mac)
        {
            checks.Mac($"{path}.mac", mac);
        }

        checks.Range($"{path}.mtu", network.Mtu, SpecLimits.Mtu);
        if (network.Mtu is >= 576 and < SpecLimits.MinIpv6Mtu && (network.Subnets ?? []).Any(subnet => subnet.Address.IsIpv6))
        {
            checks.Error($"{path}.mtu", $"is less than {SpecLimits.MinIpv6Mtu}, which IPv6 needs (RFC 8200, section 5)", network.Mtu.ToString(CultureInfo.InvariantCulture));
        }

        var of = new Dictionary<IpPrefix, string>();
        for (int index = 0; index < (network.Gateways?.Count ?? 0); index++)
        {
            IpAddress gateway = network.Gateways![index];
            string at = ConfigPath.Index($"{path}.gateways", index);
            if (checks.Host(at, gateway) && FindSubnet(network, gateway, at, checks) is { } subnet && checks.HostIn(at, subnet, gateway)
                && !of.TryAdd(subnet, at))
            {
                checks.Error(at, $"is the second gateway in {subnet}, beside {of[subnet]}", gateway.ToString());
            }
        }
    }

    /// <summary>The subnet that holds an address; says so if there is none and all could be read.</summary>
    private static IpPrefix? FindSubnet(NetworkSpec network, IpAddress address, string path, Checks checks)
    {
        bool isUnclear = network.Subnets is not { Count: > 0 };
        foreach (IpPrefix subnet in network.Subnets ?? [])
        {
            isUnclear |= subnet.Address.IsNone || subnet.HasHostBits;
            if (!subnet.Address.IsNone && subnet.Contains(address))
            {
                return subnet;
            }
        }

        if (!isUnclear)
        {
            checks.Error(path, $"is in no subnet of the network ({WordList.Or(network.Subnets!.Select(subnet => subnet.ToString()))})", address.ToString());
        }

        return null;
    }

    private static void CheckReach(Checks checks, NetworkSpec network, string path)
    {
        for (int index = 0; index < (network.Reach?.Count ?? 0); index++)
        {
            string name = network.Reach![index], at = ConfigPath.Index($"{path}.reach", index);
            if (name is not null && name == network.Name)
            {
                checks.Error(at, "is the network itself, within which endpoints reach each other anyway", name);
            }
            else
            {
                checks.IsNetwork(at, name);
            }
        }
    }

    private static void CheckEndpoints(Checks checks, NetworkSpec network, string path, Dictionary<string, string> ports, HashSet<string> withInterface, NetworkNamesSeen seen)
    {
        foreach ((EndpointSpec endpoint, string at, _) in checks.Each(network.Endpoints, $"{path}.endpoints"))
        {
            checks.Name($"{at}.name", endpoint.Name, seen.Names);
            if (checks.IsPort($"{at}.port", endpoint.Port))
            {
                string? problem = withInterface.Contains(endpoint.Port) ? "has an interface; an endpoint's port has its addresses from the network: remove one of the two"
                    : seen.WithQueues.Contains(endpoint.Port) ? "has several queues; an endpoint's port has one, so that its limits hold for all it sends"
                    : !ports.TryAdd(endpoint.Port, at) ? $"is the port of {ports[endpoint.Port]} already; each endpoint has its own" : null;
                if (problem is not null)
                {
                    checks.Error($"{at}.port", problem, endpoint.Port);
                }
            }

            CheckMac(checks, network, endpoint.Mac, at, seen);
            CheckAddresses(checks, network, endpoint.Mac, endpoint.Addresses, at);
            CheckRate(checks, endpoint.Rate, $"{at}.rate");
        }
    }

    /// <summary>Each station of a network has a hardware address of its own.</summary>
    public static void CheckMac(Checks checks, NetworkSpec network, MacAddress mac, string path, NetworkNamesSeen seen)
    {
        checks.Mac($"{path}.mac", mac);
        if (mac == network.GatewayMac)
        {
            checks.Error($"{path}.mac", "is the gateway's; no other station of the network can have it", mac.ToString());
        }
        else if (!seen.Macs.TryAdd(mac, path) && mac.IsUnicast)
        {
            checks.Error($"{path}.mac", $"is the address of {seen.Macs[mac]} already; each station of a network has its own", mac.ToString());
        }
    }

    /// <summary>Addresses of an endpoint lie in its network's subnets and belong to nobody else.</summary>
    public static void CheckAddresses(Checks checks, NetworkSpec network, MacAddress mac, IReadOnlyList<IpAddress>? addresses, string path)
    {
        if (addresses is null)
        {
            checks.Error($"{path}.addresses", "is null; an empty list is allowed");
            return;
        }

        for (int index = 0; index < addresses.Count; index++)
        {
            IpAddress address = addresses[index];
            string at = ConfigPath.Index($"{path}.addresses", index);
            if (!checks.Host(at, address) || FindSubnet(network, address, at, checks) is not { } subnet || !checks.HostIn(at, subnet, address))
            {
                continue;
            }

            if (checks.OwnerOf(address, default) is { } owner)
            {
                checks.Error(at, $"is the engine's own address ({owner}), so no endpoint can have it", address.ToString());
            }
            else if (!checks.TryAddEndpoint(address, at, out string other))
            {
                checks.Error(at, $"is {other} already; each address belongs to one endpoint", address.ToString());
            }
        }

        LinkSettingsChecks.CheckAutonomous(checks, network, mac, addresses, path);
    }

    private static void CheckRate(Checks checks, RateSpec? rate, string path)
    {
        if (rate is null)
        {
            return;
        }

        CheckDirection(checks, $"{path}.in", rate.In, rate.InBurst);
        CheckDirection(checks, $"{path}.out", rate.Out, rate.OutBurst);
    }

    private static void CheckDirection(Checks checks, string path, long? rate, long? burst)
    {
        if (rate is { } bits && !SpecLimits.BitRate.Contains(bits))
        {
            checks.Error(path, SpecLimits.BitRateProblem, bits.ToString(CultureInfo.InvariantCulture));
        }

        if (burst is { } bytes)
        {
            checks.Range($"{path}_burst", bytes, SpecLimits.BurstBytes);
            if (rate is null)
            {
                checks.Error($"{path}_burst", "stands without the rate it belongs to", bytes.ToString(CultureInfo.InvariantCulture));
            }
        }
    }
}
