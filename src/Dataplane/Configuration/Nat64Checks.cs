using Dataplane.Nat;
using Dataplane.Nat64;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>What rules between the families say.</summary>
internal static class Nat64Checks
{
    public static void Check(Checks checks, DataplaneSpec spec, NatSpec rule, string path)
    {
        if (rule.Nat64 is not { } prefix)
        {
            return;
        }

        string at = $"{path}.nat64";
        if (prefix.Family != IpFamily.V6 || !EmbeddedAddress.IsPrefix(prefix))
        {
            checks.Error(at, EmbeddedAddress.NoPrefix, prefix.ToString());
        }
        else if ((spec.Interfaces ?? []).FirstOrDefault(entry => entry is not null && prefix.Contains(entry.Address.Address)) is { } inside)
        {
            checks.Error(at, $"contains the address {inside.Address.Address} of {inside.Port}; take a prefix that no host has addresses in", prefix.ToString());
        }

        if (rule.From is { } from && from.Family == IpFamily.V4)
        {
            checks.Error($"{path}.from", "is IPv4, but where nat64 is set it is IPv6 hosts that are translated", from.ToString());
        }

        if (rule.Static)
        {
            checks.Error($"{path}.static", "has no meaning where nat64 is set: several hosts share an IPv4 address by their ports; leave it out", "true");
        }

        for (int index = 0; index < (rule.Pool?.Count ?? 0); index++)
        {
            if (rule.Pool![index].IsIpv6)
            {
                checks.Error(ConfigPath.Index($"{path}.pool", index), "is IPv6, but where nat64 is set packets leave as IPv4", rule.Pool[index].ToString());
            }
        }

        if (rule.Pool is { Count: 0 } && !(spec.Interfaces ?? []).Any(entry => entry is not null && entry.Port == rule.Outside && entry.Address.Address.IsIpv4))
        {
            checks.Error($"{path}.outside", "is a port without an IPv4 address, so that there is none to take; give it an interface with one, or the rule a pool", rule.Outside);
        }
    }
}
