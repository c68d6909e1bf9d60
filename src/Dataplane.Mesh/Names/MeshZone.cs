using System.Runtime.InteropServices;
using Dataplane.Mesh.Services;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Names;

/// <summary>The names of a mesh: plain ones under its domain, and those of the Kubernetes DNS specification 1.1.0 for services that come from there.</summary>
internal sealed class MeshZone
{
    private readonly MeshSpec _mesh;
    private readonly Func<string, bool> _isService;
    private readonly NameConflicts? _conflicts;

    private List<NameRecord>[] _records = [];
    private List<NameRecord> _reverse = [];
    private readonly HashSet<IpAddress> _reversed = [];
    private List<string> _problems = [];
    private bool _isHindered;

    /// <summary>Begins with names.</summary>
    /// <param name="mesh">The mesh.</param>
    /// <param name="isService">Whether a key is a service's: such a name is no alias.</param>
    /// <param name="aliases">The services that are aliases of others' names.</param>
    public MeshZone(MeshSpec mesh, Func<string, bool> isService, IReadOnlyCollection<MeshServiceSpec> aliases)
    {
        (_mesh, _isService) = (mesh, isService);
        _conflicts = aliases.Count > 0 ? new NameConflicts(aliases.SelectMany(service => PlainNames(service, [.. service.Aliases]).Append(ClusterName(service)))) : null;
        Tops = [.. new[] { DomainName.Normalise(mesh.Domain), DomainName.Normalise(mesh.ClusterDomain) }.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>The zones that hold names, by their tops.</summary>
    public IReadOnlyList<string> Tops { get; }

    /// <summary>The names of a service.</summary>
    /// <returns>Its names, and whether some of them are left out for the sake of another service.</returns>
    public (MeshNames Names, bool IsHindered) Of(MeshServiceSpec service, IReadOnlyList<IpAddress> addresses, IReadOnlyList<IpAddress> outside, IReadOnlyList<MeshEndpointSpec> usable, List<string> problems)
    {
        (_records, _reverse, _problems, _isHindered) = ([.. Tops.Select(_ => new List<NameRecord>())], [], problems, false);
        _reversed.Clear();
        string[] plain = PlainNames(service, [.. service.Aliases.Where(alias => IsFree(service, alias))]);
        foreach (string name in plain)
        {
            // Who is not of the cluster asks by the mesh's name, and gets the address that is for everybody.
            AddNames(service, name, outside.Count > 0 ? outside : addresses, usable);
        }

        if (service.IsKubernetes)
        {
            AddNames(service, ClusterName(service), addresses, usable);
        }

        return (new MeshNames(plain[0], [.. _records.Select(IReadOnlyList<NameRecord> (records) => [.. records])], [.. _reverse]), _isHindered);
    }

    /// <summary>Takes down names that were worked out before, if they still do not meet others.</summary>
    public bool TryKeep(MeshNames names)
    {
        if (_conflicts is not { } conflicts)
        {
            return true;
        }

        if (!names.Records.All(records => records.All(conflicts.IsFree)))
        {
            return false;
        }

        foreach (NameRecord record in names.Records.SelectMany(records => records))
        {
            conflicts.Take(record);
        }

        return true;
    }

    /// <summary>The name server; null when the mesh has none.</summary>
    /// <param name="parts">The services, by their keys.</param>
    /// <param name="last">The one before, of which zones are kept that have not changed.</param>
    /// <param name="plan">What is known of the names for reverse look-ups, and is learnt; null: nothing.</param>
    public NameServerSpec? ToServer(IReadOnlyList<MeshPart> parts, NameServerSpec? last, MeshPlan? plan)
    {
        if (_mesh.Dns is not { } dns)
        {
            return null;
        }

        int versionTop = TopOf($"dns-version.{_mesh.ClusterDomain}");
        NameRecord version = last?.Zones[versionTop].Records[^1] ?? NameRecord.Txt($"dns-version.{_mesh.ClusterDomain}", "1.1.0");
        ZoneSpec Zone(int number, string name, List<NameRecord> records, bool isPartial) =>
            last?.Zones[number] is { } known && AreSame(known.Records, records) ? known : new()
            {
                Name = name,
                Records = records,
                TtlSeconds = dns.TtlSeconds,
                NegativeTtlSeconds = dns.NegativeTtlSeconds,
                IsPartial = isPartial,
            };
        (List<NameRecord> reverse, List<NameRecord> reverse6) = Reverse(parts, plan);
        return new NameServerSpec
        {
            Name = "mesh",
            Addresses = dns.Listen,
            Upstreams = dns.Upstreams,
            QueriesPerSecond = dns.QueriesPerSecond,
            Dns64 = dns.Dns64,
            Zones =
            [
                .. Tops.Select((top, number) => Zone(number, top, Gather(parts, number, number == versionTop ? version : null), isPartial: false)),
                Zone(Tops.Count, "in-addr.arpa", reverse, isPartial: true), Zone(Tops.Count + 1, "ip6.arpa", reverse6, isPartial: true),
            ],
        };
    }

    /// <summary>Whether two lists hold the same objects; tens of thousands, each time a service comes or goes.</summary>
    private static bool AreSame(IReadOnlyList<NameRecord> one, List<NameRecord> other)
    {
        if (one.Count != other.Count || one is not List<NameRecord> list)
        {
            return false;
        }

        ReadOnlySpan<NameRecord> left = CollectionsMarshal.AsSpan(list), right = CollectionsMarshal.AsSpan(other);
        for (int at = 0; at < left.Length && at < right.Length; at++)
        {
            if (!ReferenceEquals(left[at], right[at]))
            {
                return false;
            }
        }

        return true;
    }

    private static List<NameRecord> Gather(IReadOnlyList<MeshPart> parts, int zone, NameRecord? more)
    {
        int count = more is null ? 0 : 1;
        for (int at = 0; at < parts.Count; at++)
        {
            count += parts[at].Names.Records[zone].Count;
        }

        var all = new List<NameRecord>(count);
        for (int at = 0; at < parts.Count; at++)
        {
            all.AddRange(parts[at].Names.Records[zone]);
        }

        if (more is not null)
        {
            all.Add(more);
        }

        return all;
    }

    /// <summary>The first name of an address is its name: with several, reverse look-ups would depend on chance.</summary>
    private static (List<NameRecord> V4, List<NameRecord> V6) Reverse(IReadOnlyList<MeshPart> parts, MeshPlan? plan)
    {
        HashSet<string>? taken = plan?.Reverse is null ? new HashSet<string>(StringComparer.Ordinal) : null;
        bool hasRepeated = false;
        (List<NameRecord> v4, List<NameRecord> v6) = ([], []);
        for (int at = 0; at < parts.Count; at++)
        {
            IReadOnlyList<NameRecord> reverse = parts[at].Names.Reverse;
            for (int i = 0; i < reverse.Count; i++)
            {
                NameRecord record = reverse[i];
                if (taken?.Add(record.Name) == false)
                {
                    hasRepeated = true;
                }
                else
                {
                    (record.Name.EndsWith("ip6.arpa", StringComparison.Ordinal) ? v6 : v4).Add(record);
                }
            }
        }

        if (plan is not null && taken is not null)
        {
            plan.Reverse = hasRepeated ? null : taken;
        }

        return (v4, v6);
    }

    /// <summary>The names that are not of the cluster, the shortest first.</summary>
    private string[] PlainNames(MeshServiceSpec service, IReadOnlyList<string> aliases) =>
        [.. aliases.Prepend(service.Name).Distinct(StringComparer.Ordinal).SelectMany(label =>
            service.Namespace == "default" ? new[] { $"{label}.{_mesh.Domain}", $"{label}.{service.Namespace}.{_mesh.Domain}" } : [$"{label}.{service.Namespace}.{_mesh.Domain}"])];

    private string ClusterName(MeshServiceSpec service) => $"{service.Name}.{service.Namespace}.svc.{_mesh.ClusterDomain}";

    private bool IsFree(MeshServiceSpec service, string alias)
    {
        bool isOthers = alias != service.Name && _isService($"{service.Namespace}/{alias}");
        if (isOthers)
        {
            _isHindered = true;
            _problems.Add($"alias {alias} is the name of a service, to which it leads");
        }

        return !isOthers;
    }

    /// <summary>The zone that a name is in: of two that hold it the one with the longer name.</summary>
    private int TopOf(string name)
    {
        string normal = DomainName.Normalise(name);
        int best = 0;
        for (int number = 1; number < Tops.Count; number++)
        {
            bool isBetter = !DomainName.IsAtOrUnder(normal, Tops[best]) || Tops[number].Length > Tops[best].Length;
            best = isBetter && DomainName.IsAtOrUnder(normal, Tops[number]) ? number : best;
        }

        return best;
    }

    private void AddNames(MeshServiceSpec service, string name, IReadOnlyList<IpAddress> addresses, IReadOnlyList<MeshEndpointSpec> usable)
    {
        switch (service.Kind)
        {
            case MeshServiceKind.ExternalName:
                Add(NameRecord.Cname(name, service.ExternalName) with { TtlSeconds = service.TtlSeconds });
                return;
            case MeshServiceKind.Headless:
                AddHeadless(service, name, usable);
                return;
        }

        foreach (IpAddress address in addresses)
        {
            Add(NameRecord.Of(name, address) with { TtlSeconds = service.TtlSeconds });
            AddReverse(address, name);
        }

        foreach (MeshPortSpec port in service.Ports.Where(port => port.Name.Length > 0))
        {
            Add(NameRecord.Srv(ServiceName(port, name), name, port.Port) with { TtlSeconds = service.TtlSeconds });
        }
    }

    /// <summary>A headless service is found at its endpoints, each of which has a name as well; without any, there is no such name.</summary>
    private void AddHeadless(MeshServiceSpec service, string name, IReadOnlyList<MeshEndpointSpec> usable)
    {
        foreach (MeshEndpointSpec endpoint in usable)
        {
            string label = endpoint.Hostname.Length > 0 ? endpoint.Hostname : endpoint.Address.ToString().Replace('.', '-').Replace(':', '-');
            string host = $"{label.Trim('-')}.{name}";
            Add(NameRecord.Of(name, endpoint.Address, endpoint.Weight) with { TtlSeconds = service.TtlSeconds });
            Add(NameRecord.Of(host, endpoint.Address) with { TtlSeconds = service.TtlSeconds });
            if (endpoint.Hostname.Length > 0)
            {
                AddReverse(endpoint.Address, host);
            }

            foreach (MeshPortSpec port in service.Ports.Where(port => port.Name.Length > 0))
            {
                if (EndpointSelection.PortOf(service, port, endpoint) is not 0 and ushort number)
                {
                    Add(NameRecord.Srv(ServiceName(port, name), host, number, weight: (ushort)Math.Clamp(endpoint.Weight, 0, ushort.MaxValue)) with { TtlSeconds = service.TtlSeconds });
                }
            }
        }
    }

    private static string ServiceName(MeshPortSpec port, string name) => $"_{port.Name}._{(port.Protocol == IpProtocols.Udp ? "udp" : "tcp")}.{name}";

    private void AddReverse(IpAddress address, string name)
    {
        if (_reversed.Add(address))
        {
            _reverse.Add(NameRecord.Reverse(address, name));
        }
    }

    /// <summary>Adds a record unless it would make an alias of a name that has records: what a source says must not take the whole zone away.</summary>
    private void Add(NameRecord record)
    {
        string? problem = DomainName.ProblemOf(record.Name) ?? (record.Target.Length > 0 || record.Type == NameRecordType.Cname ? DomainName.ProblemOf(record.Target) : null);
        if (problem is not null)
        {
            _problems.Add($"name {record.Name}: {problem}");
        }
        else if (_conflicts?.IsFree(record) == false)
        {
            _isHindered = true;
            _problems.Add($"name {record.Name} is that of another service's records");
        }
        else
        {
            _conflicts?.Take(record);
            _records[TopOf(record.Name)].Add(record);
        }
    }
}
