using System.Globalization;
using System.Net;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Names;
using Dataplane.Nat64;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The rules for name servers and their zones.</summary>
internal static class NameChecks
{
    private const int MaxUpstreams = 8, MaxExcluded = 64;

    private static readonly IntRange s_rate = new("number of queries", 0, 1_000_000);

    /// <summary>Addresses of name servers are the engine's own, whether an interface has them or not.</summary>
    public static void ClaimAddresses(Checks checks, DataplaneSpec spec)
    {
        for (int index = 0; index < (spec.Names?.Count ?? 0); index++)
        {
            foreach (IpAddress address in spec.Names![index]?.Addresses ?? [])
            {
                if (!address.IsNone)
                {
                    checks.TryOwn(address, default, ConfigPath.Index("names", index));
                }
            }
        }
    }

    /// <summary>Checks all; of zones with tens of thousands of records those are looked into that are not in a specification known to be valid.</summary>
    public static void Check(Checks checks, DataplaneSpec spec, DataplaneSpec? valid)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var addresses = new Dictionary<IpAddress, string>();
        var known = (valid?.Names ?? []).ToDictionary(server => server.Name);
        foreach ((NameServerSpec server, string path, _) in checks.Each(spec.Names, "names"))
        {
            checks.Name($"{path}.name", server.Name, names);
            checks.Range($"{path}.queries_per_second", server.QueriesPerSecond, s_rate);
            CheckAddresses(checks, spec, server, path, addresses);
            CheckUpstreams(checks, server, path);
            CheckDns64(checks, server, $"{path}.dns64");
            CheckZones(checks, server, $"{path}.zones", server.Name is null ? null : known.GetValueOrDefault(server.Name));
        }
    }

    private static void CheckZones(Checks checks, NameServerSpec server, string path, NameServerSpec? known)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        if (known is null || server.Zones is null)
        {
            foreach ((ZoneSpec zone, _, int index) in checks.Each(server.Zones, path))
            {
                CheckZone(checks, zone, path, index, seen, null);
            }

            return;
        }

        ListDifference difference = ListDifference.Of(known.Zones, server.Zones);
        HashSet<int> changed = [.. difference.Added];
        HashSet<string> tops = [.. difference.Added.Select(at => server.Zones[at]?.Name).OfType<string>().Select(DomainName.Normalise)];

        // Those that stay are valid, and no two of them have a name; only what comes may have that of one of them.
        for (int index = 0; tops.Count > 0 && index < server.Zones.Count; index++)
        {
            if (!changed.Contains(index) && DomainName.Normalise(server.Zones[index].Name) is var top && tops.Contains(top))
            {
                seen[top] = index;
            }
        }

        var before = difference.Removed.Select(at => known.Zones[at]).ToDictionary(zone => DomainName.Normalise(zone.Name));
        foreach (int index in difference.Added)
        {
            if (server.Zones[index] is { } zone)
            {
                CheckZone(checks, zone, path, index, seen, zone.Name is null ? null : before.GetValueOrDefault(DomainName.Normalise(zone.Name)));
            }
            else
            {
                checks.Error(ConfigPath.Index(path, index), "is null; leave it out");
            }
        }
    }

    private static void CheckAddresses(Checks checks, DataplaneSpec spec, NameServerSpec server, string path, Dictionary<IpAddress, string> seen)
    {
        for (int index = 0; index < (server.Addresses?.Count ?? 0); index++)
        {
            IpAddress address = server.Addresses![index];
            string at = ConfigPath.Index($"{path}.addresses", index);
            if (!checks.Host(at, address))
            {
                continue;
            }

            ServiceSpec? service = (spec.Services ?? []).FirstOrDefault(service =>
                service is not null && service.Serves(address, DnsWire.Port));
            if (!seen.TryAdd(address, at))
            {
                checks.Error(at, $"is {seen[address]} already; one server answers at an address", address.ToString());
            }
            else if (service is not null)
            {
                checks.Error(at, $"has service \"{service.Name}\" at port 53, where queries are answered; take another address for one of them", address.ToString());
            }
        }

        if (server.Addresses is not { Count: > 0 })
        {
            checks.Error($"{path}.addresses", "is missing: the address at which queries are answered is needed");
        }
    }

    private static void CheckUpstreams(Checks checks, NameServerSpec server, string path)
    {
        if ((server.Upstreams?.Count ?? 0) > MaxUpstreams)
        {
            checks.Error($"{path}.upstreams", $"has {server.Upstreams!.Count} servers; {MaxUpstreams} are asked at most");
        }

        foreach ((IPEndPoint upstream, string at, _) in checks.Each(server.Upstreams, $"{path}.upstreams"))
        {
            var address = IpAddress.Parse(new IPAddress(upstream.Address.GetAddressBytes()).ToString());
            if (upstream.Port == 0)
            {
                checks.Error(at, "has port 0; that of name servers is 53", upstream.ToString());
            }
            else if (server.Addresses?.Contains(address) == true)
            {
                checks.Error(at, "is the name server's own address, so that it would ask itself for ever", upstream.ToString());
            }
        }
    }

    private static void CheckDns64(Checks checks, NameServerSpec server, string path)
    {
        if (server.Dns64 is not { } dns64)
        {
            return;
        }

        if (dns64.Prefix.Address.IsNone || !EmbeddedAddress.IsPrefix(dns64.Prefix))
        {
            checks.Error($"{path}.prefix", EmbeddedAddress.NoPrefix, dns64.Prefix.ToString());
        }

        if (dns64.Exclude is null)
        {
            checks.Error($"{path}.exclude", "is null; leave it out");
            return;
        }

        if (dns64.Exclude.Count > MaxExcluded)
        {
            checks.Error($"{path}.exclude", $"has {dns64.Exclude.Count} prefixes; {MaxExcluded} at most are passed over");
        }

        for (int index = 0; index < dns64.Exclude.Count; index++)
        {
            IpPrefix prefix = dns64.Exclude[index];
            if (prefix.Address.IsNone || prefix.HasHostBits)
            {
                checks.Error(ConfigPath.Index($"{path}.exclude", index), "is no prefix: bits are set behind its length, or it is missing", prefix.ToString());
            }
        }
    }

    private static void CheckZone(Checks checks, ZoneSpec zone, string zones, int index, Dictionary<string, int> seen, ZoneSpec? known)
    {
        string path = ConfigPath.Index(zones, index);
        if (DomainName.ProblemOf(zone.Name) is { } problem)
        {
            checks.Error($"{path}.name", problem, zone.Name);
            return;
        }

        string top = DomainName.Normalise(zone.Name);
        if (!seen.TryAdd(top, index))
        {
            checks.Error($"{path}.name", $"is the zone of {ConfigPath.Index(zones, seen[top])} already", zone.Name);
        }

        CheckTtl(checks, $"{path}.ttl", zone.TtlSeconds);
        CheckTtl(checks, $"{path}.negative_ttl", zone.NegativeTtlSeconds);
        if (known is not null && zone.Records is not null && CheckAdded(checks, zone, known, $"{path}.records", top))
        {
            return;
        }

        var aliases = new HashSet<string>(StringComparer.Ordinal);
        var others = new HashSet<string>(StringComparer.Ordinal);
        foreach ((NameRecord record, string at, _) in checks.Each(zone.Records, $"{path}.records"))
        {
            CheckRecord(checks, record, at, top, aliases, others);
        }
    }

    /// <summary>Checks the records that a valid zone did not have. Aliases depend on what else there is of their names: then all must be looked into.</summary>
    /// <returns>False when that is so, and nothing was checked.</returns>
    private static bool CheckAdded(Checks checks, ZoneSpec zone, ZoneSpec known, string path, string top)
    {
        if (zone.Records.Any(record => record is null or { Type: NameRecordType.Cname }))
        {
            return false;
        }

        var none = new HashSet<string>(StringComparer.Ordinal);
        foreach (int index in ListDifference.Of(known.Records, zone.Records).Added)
        {
            CheckRecord(checks, zone.Records[index], ConfigPath.Index(path, index), top, none, []);
        }

        return true;
    }

    private static void CheckRecord(Checks checks, NameRecord record, string path, string top, HashSet<string> aliases, HashSet<string> others)
    {
        if (DomainName.ProblemOf(record.Name) is { } problem)
        {
            checks.Error($"{path}.name", problem, record.Name);
            return;
        }

        string name = DomainName.Normalise(record.Name);
        if (!DomainName.IsAtOrUnder(name, top))
        {
            checks.Error($"{path}.name", $"is not in zone {top}", record.Name);
        }

        bool isAlias = record.Type == NameRecordType.Cname;
        if (isAlias ? !aliases.Add(name) || others.Contains(name) || name == top : aliases.Contains(name) || !others.Add(name) && aliases.Contains(name))
        {
            checks.Error($"{path}.name", name == top ? "is the zone's own name, which cannot be an alias (RFC 1912, 2.4)"
                : "has an alias and other records; an alias stands alone (RFC 1034, 3.6.2)", record.Name);
        }

        if (record.TtlSeconds is { } ttl)
        {
            CheckTtl(checks, $"{path}.ttl", ttl);
        }

        CheckData(checks, record, path);
    }

    private static void CheckData(Checks checks, NameRecord record, string path)
    {
        switch (record.Type)
        {
            case NameRecordType.A when !record.Address.IsIpv4:
                checks.Error($"{path}.address", "is not an IPv4 address, which an A record has", record.Address.ToString());
                break;
            case NameRecordType.Aaaa when !record.Address.IsIpv6:
                checks.Error($"{path}.address", "is not an IPv6 address, which an AAAA record has", record.Address.ToString());
                break;
            case NameRecordType.Cname or NameRecordType.DomainPointer or NameRecordType.Srv when DomainName.ProblemOf(record.Target) is { } problem:
                checks.Error($"{path}.target", problem, record.Target);
                break;
            case NameRecordType.Srv when record.Weight is < 0 or > ushort.MaxValue:
                checks.Error($"{path}.weight", "is not a number from 0 to 65535", record.Weight.ToString(CultureInfo.InvariantCulture));
                break;
            case NameRecordType.Txt when Encoding.UTF8.GetByteCount(record.Text ?? "") > 255:
                checks.Error($"{path}.text", "is longer than 255 bytes");
                break;
            case not (NameRecordType.A or NameRecordType.Aaaa or NameRecordType.Cname or NameRecordType.DomainPointer or NameRecordType.Srv or NameRecordType.Txt):
                checks.Error($"{path}.type", "is not a type of record that is served (A, AAAA, CNAME, PTR, SRV, TXT)", record.Type.ToString());
                break;
        }
    }

    private static void CheckTtl(Checks checks, string path, int seconds)
    {
        if (seconds < 0)
        {
            checks.Error(path, "is negative; 0 to 2147483647 seconds are allowed", seconds.ToString(CultureInfo.InvariantCulture));
        }
    }
}
