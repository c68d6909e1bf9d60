using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Configuration;

/// <summary>The rules for the engine's addresses; also collects the prefixes they connect.</summary>
internal static class InterfaceChecks
{
    public static void Check(Checks checks, DataplaneSpec spec)
    {
        var connected = new List<(IpPrefix Prefix, Link Link, string Path)>();
        foreach ((InterfaceSpec entry, string path, _) in checks.Each(spec.Interfaces, "interfaces"))
        {
            bool hasPort = checks.IsPort($"{path}.port", entry.Port);
            if (entry.Mac is { } mac)
            {
                checks.Mac($"{path}.mac", mac);
            }

            checks.Range($"{path}.vlan", entry.Vlan, SpecLimits.Vlan);
            CheckAddress(checks, entry.Address, $"{path}.address");

            if (!hasPort || entry.Address.Address.IsNone || !SpecLimits.Vlan.Contains(entry.Vlan))
            {
                checks.Connected.AddUnclear(hasPort ? entry.Port : null);
                continue;
            }

            var link = new Link(entry.Port, entry.Vlan);
            if (!checks.TryOwn(entry.Address.Address, link, path))
            {
                checks.Error($"{path}.address", $"is the address of {checks.OwnerOf(entry.Address.Address, link)} already", entry.Address.ToString());
            }

            connected.Add((entry.Address, link, $"{path}.address"));
        }

        NetworkChecks.Claim(checks, spec, connected);
        CheckOverlaps(checks, connected);
    }

    private static void CheckAddress(Checks checks, IpPrefix address, string path)
    {
        if (address.Address.IsNone)
        {
            checks.Error(path, "is missing: an address with prefix length, such as 198.51.100.2/24, is needed");
        }
        else if (address.Length == 0)
        {
            checks.Error(path, $"has the prefix length 0, which would make every address a neighbour; 1 to {address.Address.BitLength} is allowed",
                address.ToString());
        }
        else if (checks.Host(path, address.Address))
        {
            checks.HostIn(path, address, address.Address, address.ToString());
        }
    }

    /// <summary>
    /// An address must lead to one link. Shorter prefixes are entered first, so that every prefix finds those it lies in;
    /// link-local ones are the same on every link on purpose (RFC 4291, 2.5.6).
    /// </summary>
    private static void CheckOverlaps(Checks checks, List<(IpPrefix Prefix, Link Link, string Path)> connected)
    {
        var errors = new List<(int Index, ConfigurationError Error)>();
        foreach ((int index, (IpPrefix prefix, Link link, string path)) in connected.Index().OrderBy(entry => entry.Item.Prefix.Length))
        {
            if (!ConnectedPrefixes.IsLinkScoped(prefix.Address)
                && checks.Connected.TryFindOverlap(prefix, link, out IpPrefix other, out Link otherLink, out string otherPath))
            {
                string message = $"overlaps {other} of {otherPath} ({otherLink}); an address must lead to one link only";
                errors.Add((index, new ConfigurationError(path, message, prefix.ToString())));
            }

            checks.Connected.Add(prefix, link, path);
        }

        checks.Errors.AddRange(errors.OrderBy(entry => entry.Index).Select(entry => entry.Error));
    }
}
