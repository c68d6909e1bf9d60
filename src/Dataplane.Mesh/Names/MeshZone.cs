using Dataplane.Mesh.Services;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Names;

/// <summary>The names of a mesh: plain ones under its domain, and those of the Kubernetes DNS specification 1.1.0 for services that come from there.</summary>
/// <param name="mesh">The mesh.</param>
/// <param name="services">The keys of all services: names that are no aliases.</param>
internal sealed class MeshZone(MeshSpec mesh, IReadOnlySet<string> services)
{
    private readonly List<NameRecord> _records = [];
    private readonly List<NameRecord> _reverse = [];
    private readonly HashSet<string> _aliases = new(StringComparer.Ordinal);
    private readonly HashSet<string> _others = new(StringComparer.Ordinal);
    private readonly HashSet<IpAddress> _reversed = [];

    /// <summary>Adds the names of a service.</summary>
    /// <returns>Its shortest name.</returns>
    public string Add(MeshServiceSpec service, IReadOnlyList<IpAddress> addresses, IReadOnlyList<IpAddress> outside, IReadOnlyList<MeshEndpointSpec> usable, List<string> problems)
    {
        string[] plain = [.. service.Aliases.Where(alias => IsFree(service, alias, problems)).Prepend(service.Name).Distinct(StringComparer.Ordinal).SelectMany(label =>
            service.Namespace == "default" ? new[] { $"{label}.{mesh.Domain}", $"{label}.{service.Namespace}.{mesh.Domain}" } : [$"{label}.{service.Namespace}.{mesh.Domain}"])];
        foreach (string name in plain)
        {
            // Who is not of the cluster asks by the mesh's name, and gets the address that is for everybody.
            AddNames(service, name, outside.Count > 0 ? outside : addresses, usable, problems);
        }

        if (service.IsKubernetes)
        {
            AddNames(service, $"{service.Name}.{service.Namespace}.svc.{mesh.ClusterDomain}", addresses, usable, problems);
        }

        return plain[0];
    }

    private bool IsFree(MeshServiceSpec service, string alias, List<string> problems)
    {
        bool isOthers = alias != service.Name && services.Contains($"{service.Namespace}/{alias}");
        if (isOthers)
        {
            problems.Add($"alias {alias} is the name of a service, to which it leads");
        }

        return !isOthers;
    }

    /// <summary>The name server with everything added; null when the mesh has none.</summary>
    public NameServerSpec? ToServer()
    {
        if (mesh.Dns is not { } dns)
        {
            return null;
        }

        _records.Add(NameRecord.Txt($"dns-version.{mesh.ClusterDomain}", "1.1.0"));
        string[] tops = [.. new[] { DomainName.Normalise(mesh.Domain), DomainName.Normalise(mesh.ClusterDomain) }.Distinct(StringComparer.Ordinal)];
        ILookup<string, NameRecord> byZone = _records.ToLookup(record => tops.Where(top => DomainName.IsAtOrUnder(DomainName.Normalise(record.Name), top)).MaxBy(top => top.Length)!);
        ILookup<bool, NameRecord> reverse = _reverse.ToLookup(record => record.Name.EndsWith("ip6.arpa", StringComparison.Ordinal));
        ZoneSpec Zone(string name, IEnumerable<NameRecord> records, bool isPartial) => new()
        {
            Name = name,
            Records = [.. records],
            TtlSeconds = dns.TtlSeconds,
            NegativeTtlSeconds = dns.NegativeTtlSeconds,
            IsPartial = isPartial,
        };
        return new NameServerSpec
        {
            Name = "mesh",
            Addresses = dns.Listen,
            Upstreams = dns.Upstreams,
            QueriesPerSecond = dns.QueriesPerSecond,
            Dns64 = dns.Dns64,
            Zones = [.. tops.Select(top => Zone(top, byZone[top], isPartial: false)), Zone("in-addr.arpa", reverse[false], isPartial: true), Zone("ip6.arpa", reverse[true], isPartial: true)],
        };
    }

    private void AddNames(MeshServiceSpec service, string name, IReadOnlyList<IpAddress> addresses, IReadOnlyList<MeshEndpointSpec> usable, List<string> problems)
    {
        switch (service.Kind)
        {
            case MeshServiceKind.ExternalName:
                Add(NameRecord.Cname(name, service.ExternalName) with { TtlSeconds = service.TtlSeconds }, problems);
                return;
            case MeshServiceKind.Headless:
                AddHeadless(service, name, usable, problems);
                return;
        }

        foreach (IpAddress address in addresses)
        {
            Add(NameRecord.Of(name, address) with { TtlSeconds = service.TtlSeconds }, problems);
            AddReverse(address, name);
        }

        foreach (MeshPortSpec port in service.Ports.Where(port => port.Name.Length > 0))
        {
            Add(NameRecord.Srv(ServiceName(port, name), name, port.Port) with { TtlSeconds = service.TtlSeconds }, problems);
        }
    }

    /// <summary>A headless service is found at its endpoints, each of which has a name as well; without any, there is no such name.</summary>
    private void AddHeadless(MeshServiceSpec service, string name, IReadOnlyList<MeshEndpointSpec> usable, List<string> problems)
    {
        foreach (MeshEndpointSpec endpoint in usable)
        {
            string label = endpoint.Hostname.Length > 0 ? endpoint.Hostname : endpoint.Address.ToString().Replace('.', '-').Replace(':', '-');
            string host = $"{label.Trim('-')}.{name}";
            Add(NameRecord.Of(name, endpoint.Address, endpoint.Weight) with { TtlSeconds = service.TtlSeconds }, problems);
            Add(NameRecord.Of(host, endpoint.Address) with { TtlSeconds = service.TtlSeconds }, problems);
            if (endpoint.Hostname.Length > 0)
            {
                AddReverse(endpoint.Address, host);
            }

            foreach (MeshPortSpec port in service.Ports.Where(port => port.Name.Length > 0))
            {
                if (EndpointSelection.PortOf(service, port, endpoint) is not 0 and ushort number)
                {
                    Add(NameRecord.Srv(ServiceName(port, name), host, number, weight: (ushort)Math.Clamp(endpoint.Weight, 0, ushort.MaxValue)) with { TtlSeconds = service.TtlSeconds }, problems);
                }
            }
        }
    }

    private static string ServiceName(MeshPortSpec port, string name) => $"_{port.Name}._{(port.Protocol == IpProtocols.Udp ? "udp" : "tcp")}.{name}";

    /// <summary>The first name of an address is its name: with several, reverse look-ups would depend on chance.</summary>
    private void AddReverse(IpAddress address, string name)
    {
        if (_reversed.Add(address))
        {
            _reverse.Add(NameRecord.Reverse(address, name));
        }
    }

    /// <summary>Adds a record unless it would make an alias of a name that has records: what a source says must not take the whole zone away.</summary>
    private void Add(NameRecord record, List<string> problems)
    {
        string name = DomainName.Normalise(record.Name);
        bool isAlias = record.Type == NameRecordType.Cname;
        string? problem = DomainName.ProblemOf(record.Name) ?? (record.Target.Length > 0 || isAlias ? DomainName.ProblemOf(record.Target) : null);
        if (problem is not null)
        {
            problems.Add($"name {record.Name}: {problem}");
        }
        else if (isAlias ? _others.Contains(name) || !_aliases.Add(name) : _aliases.Contains(name))
        {
            problems.Add($"name {record.Name} is that of another service's records");
        }
        else
        {
            _others.Add(name);
            _records.Add(record);
        }
    }
}
