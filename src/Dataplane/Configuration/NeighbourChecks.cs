using System.Globalization;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Configuration;

/// <summary>The rules for neighbours.</summary>
internal static class NeighbourChecks
{
    public static void Check(Checks checks, DataplaneSpec spec)
    {
        var seen = new Dictionary<(IpAddress Address, Link Link), string>();
        foreach ((NeighbourSpec neighbour, string path, _) in checks.Each(spec.Neighbours, "neighbours"))
        {
            bool hasPort = checks.IsPort($"{path}.port", neighbour.Port);
            bool hasAddress = checks.Host($"{path}.address", neighbour.Address);
            checks.Mac($"{path}.mac", neighbour.Mac);
            checks.Range($"{path}.vlan", neighbour.Vlan, SpecLimits.Vlan);
            if (!hasPort || !hasAddress || !SpecLimits.Vlan.Contains(neighbour.Vlan))
            {
                continue;
            }

            var link = new Link(neighbour.Port, neighbour.Vlan);
            if (!seen.TryAdd((neighbour.Address, link), path))
            {
                checks.Error($"{path}.address", $"is the neighbour of {seen[(neighbour.Address, link)]} already", neighbour.Address.ToString());
            }
            else if (checks.OwnerOf(neighbour.Address, link) is { } owner)
            {
                checks.Error($"{path}.address", $"is the engine's own address ({owner}), so no neighbour can have it", neighbour.Address.ToString());
            }
            else
            {
                CheckOnLink(checks, neighbour.Address, link, $"{path}.address");
            }
        }

        int entries = spec.Workers?.NeighbourEntries ?? 0;

        // An endpoint has its addresses, and the link-local one.
        int needed = (spec.Neighbours?.Count ?? 0) + (spec.Networks ?? []).Sum(network => (network?.Endpoints?.Sum(endpoint => 1 + (endpoint?.Addresses?.Count ?? 0)) ?? 0)
            + (network?.Overlay?.Endpoints?.Sum(endpoint => 1 + (endpoint?.Addresses?.Count ?? 0)) ?? 0));
        if (SpecLimits.NeighbourEntries.Contains(entries) && needed > entries)
        {
            checks.Error("workers.neighbour_entries", $"is less than the {needed} neighbours of the configuration, addresses of endpoints included",
                entries.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void CheckOnLink(Checks checks, IpAddress address, Link link, string path)
    {
        if (checks.Connected.TryFind(address, link, out IpPrefix prefix, out _))
        {
            checks.HostIn(path, prefix, address);
            return;
        }

        if (ConnectedPrefixes.IsLinkScoped(address) || checks.Connected.IsUnclear(link.Port))
        {
            return;
        }

        string elsewhere = checks.Connected.TryFind(address, null, out prefix, out Link other) ? $"; {prefix} is on {other}" : "";
        checks.Error(path, $"is not in a prefix of an interface on {link}{elsewhere}", address.ToString());
    }
}
