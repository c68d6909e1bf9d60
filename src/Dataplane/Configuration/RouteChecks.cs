using System.Globalization;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Configuration;

/// <summary>The rules for static routes.</summary>
internal static class RouteChecks
{
    public static void Check(Checks checks, DataplaneSpec spec)
    {
        var seen = new Dictionary<IpPrefix, string>();
        foreach ((RouteSpec route, string path, _) in checks.Each(spec.Routes, "routes"))
        {
            CheckDestination(checks, route.To, $"{path}.to", seen);
            CheckWay(checks, route, path);
            var hops = new Dictionary<(IpAddress?, string, int), string>();
            foreach ((NextHopSpec hop, string hopPath, _) in checks.Each(route.Via, $"{path}.via"))
            {
                CheckHop(checks, hop, hopPath, route.To);
                if (hop.Address is not { IsNone: true } && !hops.TryAdd((hop.Address, hop.Port ?? "", hop.Vlan), hopPath))
                {
                    checks.Error(hopPath, $"is the same next hop as {hops[(hop.Address, hop.Port ?? "", hop.Vlan)]}; give that one a larger weight");
                }
            }
        }
    }

    private static void CheckDestination(Checks checks, IpPrefix to, string path, Dictionary<IpPrefix, string> seen)
    {
        if (to.Address.IsNone)
        {
            checks.Error(path, "is missing: a prefix such as 0.0.0.0/0 or 2001:db8::/32 is needed");
        }
        else if (to.HasHostBits)
        {
            checks.Error(path, $"has bits set behind its length; the prefix is {to.Network}", to.ToString());
        }
        else if (!seen.TryAdd(to, path))
        {
            checks.Error(path, $"is the destination of {seen[to]} already; list all next hops under one route", to.ToString());
        }
        else if (checks.Connected.IsConnected(to))
        {
            checks.Error(path, "is the prefix of an interface, whose neighbours are reached without a route", to.ToString());
        }
    }

    private static void CheckWay(Checks checks, RouteSpec route, string path)
    {
        int hops = route.Via?.Count ?? 0;
        if (route.Reject != RouteReject.None)
        {
            checks.Known($"{path}.reject", route.Reject, SpecNames.Rejects);
            if (hops > 0)
            {
                checks.Error($"{path}.reject", "stands beside via; a route forwards or rejects", SpecNames.Rejects.NameOf(route.Reject));
            }
        }
        else if (hops == 0 && route.Via is not null)
        {
            checks.Error($"{path}.via", "is missing: a gateway is needed, or reject in its place");
        }

        if (hops > SpecLimits.MaxNextHops)
        {
            checks.Error($"{path}.via", $"has {hops} next hops; {SpecLimits.MaxNextHops} are allowed");
        }
    }

    private static void CheckHop(Checks checks, NextHopSpec hop, string path, IpPrefix to)
    {
        checks.Range($"{path}.weight", hop.Weight, SpecLimits.HopWeight);
        checks.Range($"{path}.vlan", hop.Vlan, SpecLimits.Vlan);
        bool namesPort = !string.IsNullOrEmpty(hop.Port);
        bool hasPort = namesPort && checks.IsPort($"{path}.port", hop.Port);
        if (!namesPort && hop.Vlan != 0 && SpecLimits.Vlan.Contains(hop.Vlan))
        {
            checks.Error($"{path}.vlan", "needs the port it is on: add port", hop.Vlan.ToString(CultureInfo.InvariantCulture));
        }

        Link? link = hasPort && SpecLimits.Vlan.Contains(hop.Vlan) ? new Link(hop.Port, hop.Vlan) : null;
        if (link is { } known && !checks.Connected.HasLink(known))
        {
            checks.Error($"{path}.port", $"has no interface: add an address on {known} to interfaces, from which its neighbours can be asked", hop.Port);
        }

        if (hop.Address is { } gateway)
        {
            CheckGateway(checks, gateway, link, namesPort, $"{path}.address", to);
        }
        else if (!namesPort)
        {
            checks.Error(path, "names neither an address nor a port; at least one is needed");
        }
    }

    private static void CheckGateway(Checks checks, IpAddress gateway, Link? link, bool namesPort, string path, IpPrefix to)
    {
        if (!checks.Host(path, gateway))
        {
            return;
        }

        if (!to.Address.IsNone && gateway.Family != to.Family)
        {
            checks.Error(path, $"is {Family(gateway.Family)}, but the destination {to} is {Family(to.Family)}; both must be of one family", gateway.ToString());
            return;
        }

        if (namesPort && link is null)
        {
            return;
        }

        bool isConnected = checks.Connected.TryFind(gateway, link, out IpPrefix prefix, out Link found);
        if (checks.OwnerOf(gateway, link ?? found) is { } owner)
        {
            checks.Error(path, $"is the engine's own address ({owner}), so packets would go nowhere", gateway.ToString());
        }
        else if (ConnectedPrefixes.IsLinkScoped(gateway) && link is null)
        {
            checks.Error(path, "is a link-local address, which is there on every link: add port", gateway.ToString());
        }
        else if (isConnected && found.IsNetwork && !checks.HasEndpoint(gateway))
        {
            checks.Error(path, $"is in {found}, but no endpoint has it; a next hop there is the address of an endpoint", gateway.ToString());
        }
        else if (isConnected)
        {
            checks.HostIn(path, prefix, gateway);
        }
        else if (link is null && !checks.Connected.IsUnclear(null))
        {
            checks.Error(path, "is not in the prefix of any interface, so it cannot be reached; add port if it is on a link nevertheless", gateway.ToString());
        }
    }

    private static string Family(IpFamily family) => family == IpFamily.V4 ? "IPv4" : "IPv6";
}
