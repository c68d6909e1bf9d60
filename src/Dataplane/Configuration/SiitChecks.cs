using System.Globalization;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Configuration;

/// <summary>The rules for stateless translation between the families.</summary>
internal static class SiitChecks
{
    private const int V4Bits = 32, V6Bits = 128;

    /// <summary>These addresses are answered by the engine where they are connected.</summary>
    public static void ClaimAddresses(Checks checks, DataplaneSpec spec)
    {
        if (spec.Siit is { Mappings: not null, RouterAddresses: not null } siit && siit.Mappings.All(mapping => mapping is not null))
        {
            foreach (IpAddress address in SiitTable.AddressesOf(siit).Where(address => !address.IsNone))
            {
                checks.TryOwn(address, default, "siit");
            }
        }
    }

    public static void Check(Checks checks, DataplaneSpec spec)
    {
        if (spec.Siit is not { } siit)
        {
            return;
        }

        if (siit.Prefix.Address.IsNone || !EmbeddedAddress.IsPrefix(siit.Prefix))
        {
            checks.Error("siit.prefix", siit.Prefix.Address.IsNone ? "is missing: an IPv6 prefix is needed, such as " + EmbeddedAddress.WellKnown : EmbeddedAddress.NoPrefix,
                siit.Prefix.Address.IsNone ? null : siit.Prefix.ToString());
        }

        if ((spec.Filter?.Rules ?? []).Any(rule => rule is not null && rule.State != ConnectionStates.None))
        {
            checks.Error("siit", "does not go together with filter rules that ask for a state: there is none, a connection is of one family on its way there and of the other on its way back");
        }

        if (siit.Mappings is { Count: > SiitSpec.MaxMappings })
        {
            checks.Error("siit.mappings", string.Create(CultureInfo.InvariantCulture, $"has {siit.Mappings.Count} mappings; {SiitSpec.MaxMappings} at most are possible"));
        }

        var seen = new Dictionary<IpPrefix, string>();
        foreach ((SiitMappingSpec mapping, string path, _) in checks.Each(siit.Mappings, "siit.mappings"))
        {
            CheckMapping(checks, mapping, path, seen);
        }

        CheckRouters(checks, siit);
    }

    private static void CheckMapping(Checks checks, SiitMappingSpec mapping, string path, Dictionary<IpPrefix, string> seen)
    {
        bool isRight = CheckSide(checks, mapping.V4, IpFamily.V4, $"{path}.v4", seen) & CheckSide(checks, mapping.V6, IpFamily.V6, $"{path}.v6", seen);
        if (isRight && V6Bits - mapping.V6.Length < V4Bits - mapping.V4.Length)
        {
            checks.Error($"{path}.v6", string.Create(CultureInfo.InvariantCulture,
                $"leaves {V6Bits - mapping.V6.Length} bits for hosts, where {mapping.V4} has {V4Bits - mapping.V4.Length} (RFC 7757 3.1)"), mapping.V6.ToString());
        }
    }

    private static bool CheckSide(Checks checks, IpPrefix side, IpFamily family, string path, Dictionary<IpPrefix, string> seen)
    {
        string name = family == IpFamily.V4 ? "IPv4" : "IPv6";
        if (side.Address.IsNone || side.Family != family)
        {
            checks.Error(path, side.Address.IsNone ? $"is missing: an {name} address or prefix is needed" : $"is not {name}", side.Address.IsNone ? null : side.ToString());
            return false;
        }

        if (side.HasHostBits || side.First.IsMulticast || side.First.IsLoopback || side.First.IsUnspecified)
        {
            checks.Error(path, side.HasHostBits ? $"has bits behind its length; write {side.Network}" : "is not an address or prefix that hosts have", side.ToString());
            return false;
        }

        if (!seen.TryAdd(side, path))
        {
            checks.Error(path, $"is {seen[side]} already", side.ToString());
            return false;
        }

        return true;
    }

    private static void CheckRouters(Checks checks, SiitSpec siit)
    {
        if (siit.RouterAddresses is null)
        {
            checks.Error("siit.router_addresses", "is null; an empty list is allowed");
            return;
        }

        for (int index = 0; index < siit.RouterAddresses.Count; index++)
        {
            string path = ConfigPath.Index("siit.router_addresses", index);
            if (checks.Host(path, siit.RouterAddresses[index]) && siit.RouterAddresses[index].IsIpv6)
            {
                checks.Error(path, "is IPv6, but it is in IPv4 that routers of the IPv6 side lack an address", siit.RouterAddresses[index].ToString());
            }
        }
    }
}
