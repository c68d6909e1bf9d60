using Dataplane.Nat;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The rules for source address translation.</summary>
internal static class NatChecks
{
    /// <summary>Pool addresses are answered by the engine where they are connected; an interface's own may be one of them.</summary>
    public static void ClaimAddresses(Checks checks, DataplaneSpec spec)
    {
        for (int index = 0; index < (spec.Nat?.Count ?? 0); index++)
        {
            foreach (IpAddress address in (spec.Nat![index]?.Pool ?? []).Where(address => !address.IsNone))
            {
                checks.TryOwn(address, default, ConfigPath.Index("nat", index));
            }
        }
    }

    public static void Check(Checks checks, DataplaneSpec spec)
    {
        foreach ((NatSpec rule, string path, _) in checks.Each(spec.Nat, "nat"))
        {
            bool hasInside = checks.IsPortOrNetwork($"{path}.inside", rule.Inside), hasOutside = checks.IsPort($"{path}.outside", rule.Outside);
            if (hasInside && rule.Inside == rule.Outside)
            {
                checks.Error($"{path}.outside", "is the inside too; packets must leave by another port than they came by", rule.Outside);
            }
            else if (hasOutside && rule.Pool is { Count: 0 } && !(spec.Interfaces ?? []).Any(entry => entry?.Port == rule.Outside))
            {
                checks.Error($"{path}.outside", "is a port without an address, so that there is none to take; give it an interface, or the rule a pool", rule.Outside);
            }

            FilterChecks.CheckPrefix(checks, rule.From, $"{path}.from");
            CheckPool(checks, rule, path);
            Nat64Checks.Check(checks, spec, rule, path);
            CheckStatic(checks, spec, rule, path);
            NatMappingChecks.Check(checks, spec, rule, path);
            CheckTimeouts(checks, rule.Timeouts, $"{path}.timeouts");
        }
    }

    /// <summary>One address for one host: no second rule may have either of them in the same way.</summary>
    private static void CheckStatic(Checks checks, DataplaneSpec spec, NatSpec rule, string path)
    {
        if (!rule.Static)
        {
            return;
        }

        if (rule.From is not { } from || from.Length != from.Address.BitLength)
        {
            checks.Error($"{path}.from", "has to be one address where static is set", rule.From?.ToString());
        }

        if (rule.Pool is not { Count: 1 })
        {
            checks.Error($"{path}.pool", "has to be one address where static is set: the one that stands for from");
            return;
        }

        NatSpec? other = (spec.Nat ?? []).FirstOrDefault(entry => entry is not null && !ReferenceEquals(entry, rule) && (entry.Pool ?? []).Contains(rule.Pool[0]));
        if (other is not null)
        {
            checks.Error($"{path}.pool[0]", "is in the pool of another rule, but stands for one host here", rule.Pool[0].ToString());
        }
    }

    private static void CheckPool(Checks checks, NatSpec rule, string path)
    {
        if (rule.Pool is null)
        {
            checks.Error($"{path}.pool", "is null; an empty list is allowed");
            return;
        }

        var seen = new Dictionary<IpAddress, string>();
        for (int index = 0; index < rule.Pool.Count; index++)
        {
            IpAddress address = rule.Pool[index];
            string at = ConfigPath.Index($"{path}.pool", index);
            if (!checks.Host(at, address))
            {
                continue;
            }

            if (ConnectedPrefixes.IsLinkScoped(address))
            {
                checks.Error(at, "is a link-local address, which no router behind the link forwards to", address.ToString());
            }
            else if (!seen.TryAdd(address, at))
            {
                checks.Error(at, $"is {seen[address]} already", address.ToString());
            }
            else if (checks.Connected.TryFind(address, null, out IpPrefix prefix, out _))
            {
                checks.HostIn(at, prefix, address);
            }
        }

        if (rule.Nat64 is null && rule.From is { } from && rule.Pool.Count > 0 && !rule.Pool.Any(address => address.Family == from.Family))
        {
            checks.Error($"{path}.pool", $"has no address of the family of from ({from}), so that nothing would be translated");
        }
    }

    internal static void CheckTimeouts(Checks checks, NatTimeouts? given, string path)
    {
        if (given is not { } timeouts)
        {
            checks.Error(path, "is null; leave it out");
            return;
        }

        foreach ((string key, TimeSpan time) in new[]
        {
            ("udp", timeouts.Udp), ("tcp_established", timeouts.TcpEstablished), ("tcp_transitory", timeouts.TcpTransitory),
            ("tcp_closing", timeouts.TcpClosing), ("icmp", timeouts.Icmp),
        })
        {
            if (!SpecLimits.IsNatTimeout(new System.Numerics.BigInteger(time.Ticks) * 100))
            {
                checks.Error($"{path}.{key}", SpecLimits.NatTimeoutProblem, time.ToString());
            }
        }
    }
}
