using System.Globalization;
using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Switching;
using Dataplane.Switching.Dhcp;

namespace Dataplane.Configuration;

/// <summary>The rules for what endpoints are told of their network: name servers, router advertisements, DHCP.</summary>
internal static class LinkSettingsChecks
{
    private const int MaxServers = 8, MaxDomains = 6, MaxRoutes = 24;
    private const int AutonomousLength = 64;

    public static void Check(Checks checks, DataplaneSpec spec, NetworkSpec network, string path)
    {
        int before = checks.Errors.Count;
        CheckNames(checks, network, path);
        if (network.RouterAdvertisements is { } advertisements)
        {
            CheckAdvertisements(checks, network, advertisements, $"{path}.router_advertisements");
        }

        if (network.Dhcp is { } dhcp)
        {
            CheckDhcp(checks, network, dhcp, $"{path}.dhcp");
        }

        if (checks.Errors.Count == before)
        {
            CheckRoom(checks, spec, network, path);
        }
    }

    /// <summary>Addresses that endpoints make for themselves belong to nobody else either.</summary>
    /// <param name="checks">The checks.</param>
    /// <param name="network">The network.</param>
    /// <param name="mac">The endpoint's hardware address.</param>
    /// <param name="given">Its addresses.</param>
    /// <param name="path">Its place.</param>
    public static void CheckAutonomous(Checks checks, NetworkSpec network, MacAddress mac, IReadOnlyList<IpAddress> given, string path)
    {
        if (network.RouterAdvertisements is not { Autonomous: true })
        {
            return;
        }

        foreach (IpPrefix subnet in (network.Subnets ?? []).Where(IsAutonomous))
        {
            IpAddress address = Station.AutonomousOf(subnet, mac);
            if (given.Contains(address))
            {
                continue;
            }

            if (checks.OwnerOf(address, default) is { } owner)
            {
                checks.Error($"{path}.mac", $"makes {address} in {subnet}, which is the engine's own address ({owner})", mac.ToString());
            }
            else if (!checks.TryAddEndpoint(address, $"{path}.mac", out string other))
            {
                checks.Error($"{path}.mac", $"makes {address} in {subnet}, which is {other} already; each address belongs to one endpoint", mac.ToString());
            }
        }
    }

    private static bool IsAutonomous(IpPrefix subnet) => subnet.Address.IsIpv6 && subnet.Length == AutonomousLength && !subnet.HasHostBits;

    private static void CheckNames(Checks checks, NetworkSpec network, string path)
    {
        AtMost(checks, $"{path}.dns", network.Dns?.Count, MaxServers, "addresses");
        for (int index = 0; index < (network.Dns?.Count ?? 0); index++)
        {
            checks.Host(ConfigPath.Index($"{path}.dns", index), network.Dns![index]);
        }

        AtMost(checks, $"{path}.search", network.Search?.Count, MaxDomains, "domains");
        for (int index = 0; index < (network.Search?.Count ?? 0); index++)
        {
            if (DomainName.ProblemOf(network.Search![index]) is { } problem)
            {
                checks.Error(ConfigPath.Index($"{path}.search", index), problem, network.Search[index]);
            }
        }

        foreach ((string key, int count) in ((string, int)[])[("dns", network.Dns?.Count ?? 0), ("search", network.Search?.Count ?? 0)])
        {
            if (count > 0 && network.RouterAdvertisements is null && network.Dhcp is null)
            {
                checks.Error($"{path}.{key}", "is told to nobody: endpoints hear of it by router_advertisements or dhcp, and the network has neither");
            }
        }
    }

    private static void AtMost(Checks checks, string path, int? count, int most, string what)
    {
        if (count is null)
        {
            checks.Error(path, "is null; an empty list is allowed");
        }
        else if (count > most)
        {
            checks.Error(path, $"has {count} {what}; {most} at most are told");
        }
    }

    private static void CheckAdvertisements(Checks checks, NetworkSpec network, RouterAdvertisementSpec spec, string path)
    {
        IpPrefix[] subnets = [.. (network.Subnets ?? []).Where(subnet => subnet.Address.IsIpv6)];
        if (subnets.Length == 0 && network.Subnets is { Count: > 0 })
        {
            checks.Error(path, "stand in a network without an IPv6 subnet, of which they would say nothing; add one to subnets, or leave them out");
        }

        if (!SpecLimits.AdvertisementInterval.Contains(spec.Interval))
        {
            checks.Error($"{path}.interval", SpecLimits.AdvertisementInterval.Problem, spec.Interval.ToString());
        }

        if (spec.Lifetime is { } lifetime)
        {
            CheckSeconds(checks, $"{path}.lifetime", lifetime, SpecLimits.RouterLifetime);
            if (lifetime > TimeSpan.Zero && lifetime < spec.Interval)
            {
                checks.Error($"{path}.lifetime", $"is less than the interval ({spec.Interval}): the gateway would be forgotten between two advertisements (RFC 4861, 6.2.1)", lifetime.ToString());
            }
        }

        foreach (IpPrefix subnet in subnets.Where(subnet => spec.Autonomous && !IsAutonomous(subnet)))
        {
            checks.Error($"{path}.autonomous", $"does not go with {subnet}: endpoints make addresses from prefixes of {AutonomousLength} bits (RFC 2464, 4)", "true");
        }
    }

    /// <summary>Checks a time that is kept, or told, in whole seconds.</summary>
    public static void CheckSeconds(Checks checks, string path, TimeSpan value, DurationRange range)
    {
        if (!range.Contains(value))
        {
            checks.Error(path, range.Problem, value.ToString());
        }
        else if (value.Ticks % TimeSpan.TicksPerSecond != 0)
        {
            checks.Error(path, "is told in whole seconds", value.ToString());
        }
    }

    private static void CheckDhcp(Checks checks, NetworkSpec network, DhcpSpec spec, string path)
    {
        IpPrefix[] subnets = [.. (network.Subnets ?? []).Where(subnet => subnet.Address.IsIpv4)];
        if (subnets.Length == 0 && network.Subnets is { Count: > 0 } && spec.Routes is { Count: > 0 })
        {
            checks.Error($"{path}.routes", "are told by DHCPv4, and the network has no IPv4 subnet");
        }

        CheckSeconds(checks, $"{path}.lease", spec.Lease, SpecLimits.DhcpLease);
        AtMost(checks, $"{path}.routes", spec.Routes?.Count, MaxRoutes, "routes");
        foreach ((DhcpRouteSpec route, string at, _) in checks.Each(spec.Routes, $"{path}.routes"))
        {
            string? problem = route.To switch
            {
                { Address.IsNone: true } => "is missing: a prefix such as 10.0.0.0/8 is needed",
                { Address.IsIpv6: true } => "is an IPv6 prefix, of which DHCPv4 says nothing",
                { HasHostBits: true } => $"has bits set behind its length; the prefix is {route.To.Network}",
                _ => null,
            };
            if (problem is not null)
            {
                checks.Error($"{at}.to", problem, route.To.Address.IsNone ? null : route.To.ToString());
            }

            if (route.Via is { } via && checks.Host($"{at}.via", via) && !Array.Exists(subnets, subnet => subnet.Contains(via)))
            {
                checks.Error($"{at}.via", "is in no IPv4 subnet of the network, so that no endpoint could send to it", via.ToString());
            }
        }
    }

    /// <summary>Everything has to fit into one message that every client takes.</summary>
    private static void CheckRoom(Checks checks, DataplaneSpec spec, NetworkSpec network, string path)
    {
        bool canBuild = network.Subnets is { Count: > 0 } && network.Subnets.All(subnet => !subnet.Address.IsNone) && network.Gateways is not null && !(spec.Names ?? []).Any(server => server?.Addresses is null);
        if (!canBuild)
        {
            return;
        }

        IReadOnlyList<IpAddress> servers = LinkSettings.NameServersOf(network, spec.Names ?? []);
        int advertised = network.RouterAdvertisements is null ? 0 : RouterAdvertisementMessage.Build(network, servers).Length;
        if (advertised > RouterAdvertisementMessage.MostBytes)
        {
            checks.Error($"{path}.router_advertisements", $"make {advertised} bytes; {RouterAdvertisementMessage.MostBytes} fit into a packet: take fewer subnets, name servers or search domains",
                network.Subnets!.Count.ToString(CultureInfo.InvariantCulture));
        }

        int most = network.Dhcp is null ? 0 : network.Subnets!.Where(subnet => subnet.Address.IsIpv4).Select(subnet => DhcpOffer.Build(network, subnet, servers).Count()).DefaultIfEmpty().Max();
        if (most > DhcpOffer.MostOptionBytes)
        {
            checks.Error($"{path}.dhcp", $"makes {most} bytes of options; {DhcpOffer.MostOptionBytes} fit into what every client takes (RFC 2131, 2): take fewer routes, name servers or search domains");
        }
    }
}
