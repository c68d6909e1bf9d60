using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>Compiles the zones of a name server into answers that only need to be copied. Control side.</summary>
internal sealed class NameTableCompiler
{
    /// <summary>Records of one type and name: as many addresses as fit one message over TCP.</summary>
    private const int MaxRecords = 4000;

    /// <summary>Aliases followed one after the other; a chain that is longer is most likely a ring.</summary>
    private const int MaxAliases = 8;

    private readonly NameServerSpec _spec;
    private readonly Dictionary<string, Node> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _zones = new(StringComparer.Ordinal);
    private readonly RecordBytes _bytes = new();
    private readonly List<NameSet> _sets = [];

    private NameTableCompiler(NameServerSpec spec) => _spec = spec;

    private sealed class Node(string name, int zone)
    {
        public string Name => name;

        public int Zone => zone;

        public bool IsApex { get; set; }

        public List<NameRecord> Records { get; } = [];
    }

    /// <summary>Compiles a specification without errors.</summary>
    public static NameTable Compile(NameServerSpec spec) => new NameTableCompiler(spec).Compile();

    private NameTable Compile()
    {
        for (int zone = 0; zone < _spec.Zones.Count; zone++)
        {
            _zones[DomainName.Normalise(_spec.Zones[zone].Name)] = zone;
        }

        for (int zone = 0; zone < _spec.Zones.Count; zone++)
        {
            AddZone(_spec.Zones[zone], zone);
        }

        var zones = new NameTable.Zone[_spec.Zones.Count];
        for (int zone = 0; zone < zones.Length; zone++)
        {
            zones[zone] = CompileZone(_spec.Zones[zone]);
        }

        Node[] nodes = [.. _nodes.Values];
        var entries = new NameEntry[nodes.Length];
        for (int i = 0; i < nodes.Length; i++)
        {
            entries[i] = CompileNode(nodes[i]);
        }

        return new NameTable(entries, [.. _sets], _bytes.ToArray(), zones, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)), _spec.Upstreams.Count > 0);
    }

    private void AddZone(ZoneSpec zone, int number)
    {
        string top = DomainName.Normalise(zone.Name);
        if (!zone.IsPartial)
        {
            NodeOf(top, number).IsApex = true;
        }

        foreach (NameRecord record in zone.Records)
        {
            string name = DomainName.Normalise(record.Name);
            NodeOf(name, ZoneOf(name, number)).Records.Add(record);

            // Names between a record and the top are there, though empty (RFC 8020): to deny them would deny what is below.
            for (string? above = DomainName.ParentOf(name); !zone.IsPartial && above is not null && above.Length > top.Length; above = DomainName.ParentOf(above))
            {
                NodeOf(above, ZoneOf(above, number));
            }
        }

        string server = $"ns.dns.{top}";
        if (zone.IsPartial || server.Length > DomainName.MaxWireBytes - 2 || _nodes.ContainsKey(server))
        {
            return;
        }

        NodeOf($"dns.{top}", ZoneOf(server, number));
        Node node = NodeOf(server, ZoneOf(server, number));
        node.Records.AddRange(_spec.Addresses.Select(address => NameRecord.Of(server, address)));
    }

    private int ZoneOf(string name, int fallback)
    {
        for (string? above = name; above is not null; above = DomainName.ParentOf(above))
        {
            if (_zones.TryGetValue(above, out int zone))
            {
                return zone;
            }
        }

        return fallback;
    }

    private Node NodeOf(string name, int zone)
    {
        if (!_nodes.TryGetValue(name, out Node? node))
        {
            _nodes[name] = node = new Node(name, zone);
        }

        return node;
    }

    private NameTable.Zone CompileZone(ZoneSpec zone)
    {
        byte[] name = DomainName.ToWire(DomainName.Normalise(zone.Name));
        int labels = DomainName.LabelsOf(DomainName.Normalise(zone.Name));
        if (zone.IsPartial)
        {
            return new NameTable.Zone(name.Length, labels, IsPartial: true, 0, 0);
        }

        int start = _bytes.Length;
        _bytes.Record(DnsWire.QuestionPointer, DnsWire.TypeSoa, zone.NegativeTtlSeconds, SoaData(zone));
        return new NameTable.Zone(name.Length, labels, IsPartial: false, start + 2, _bytes.Length - start - 2);
    }

    /// <summary>The data of the zone's SOA record (RFC 1035 3.3.13). Its last number is how long denials hold (RFC 2308 4).</summary>
    private static byte[] SoaData(ZoneSpec zone)
    {
        string top = DomainName.Normalise(zone.Name);
        byte[] numbers = new byte[20];
        foreach ((int at, int value) in new[] { (0, 1), (4, 7200), (8, 1800), (12, 86400), (16, zone.NegativeTtlSeconds) })
        {
            BinaryPrimitives.WriteInt32BigEndian(numbers.AsSpan(at), value);
        }

        bool isLong = top.Length + 12 > DomainName.MaxWireBytes - 2;
        return [.. DomainName.ToWire(isLong ? top : $"ns.dns.{top}"), .. DomainName.ToWire(isLong ? top : $"hostmaster.{top}"), .. numbers];
    }

    private NameEntry CompileNode(Node node)
    {
        byte[] name = DomainName.ToWire(node.Name);
        int offset = _bytes.Length, first = _sets.Count;
        _bytes.Add(name);
        if (node.Records.Find(record => record.Type == NameRecordType.Cname) is { } alias)
        {
            AddAlias(node, alias, name.Length);
        }
        else
        {
            foreach (IGrouping<NameRecordType, NameRecord> group in node.Records.GroupBy(record => record.Type))
            {
                _sets.Add(CompileSet(node, group.Key, [.. group.Take(MaxRecords)], DnsWire.QuestionPointer, name.Length));
            }

            if (node.IsApex)
            {
                AddApex(_spec.Zones[node.Zone], node.Name);
            }
        }

        return new NameEntry
        {
            NameOffset = offset,
            NameBytes = (byte)name.Length,
            FirstSet = first,
            Sets = (ushort)(_sets.Count - first),
            Zone = (ushort)node.Zone,
            IsApex = node.IsApex,
        };
    }

    private void AddApex(ZoneSpec zone, string top)
    {
        int at = _bytes.Length;
        _bytes.Record(DnsWire.QuestionPointer, DnsWire.TypeSoa, zone.NegativeTtlSeconds, SoaData(zone));
        _sets.Add(new NameSet { Type = DnsWire.TypeSoa, Count = 1, Offset = at, Bytes = _bytes.Length - at });
        if (_nodes.ContainsKey($"ns.dns.{top}"))
        {
            at = _bytes.Length;
            _bytes.Record(DnsWire.QuestionPointer, DnsWire.TypeNs, zone.TtlSeconds, DomainName.ToWire($"ns.dns.{top}"));
            _sets.Add(new NameSet { Type = DnsWire.TypeNs, Count = 1, Offset = at, Bytes = _bytes.Length - at });
        }
    }

    /// <summary>Records of one type. Their owner is the name that the pointer leads to.</summary>
    private NameSet CompileSet(Node node, NameRecordType type, NameRecord[] records, ushort owner, int nameBytes)
    {
        ZoneSpec zone = _spec.Zones[node.Zone];
        int ttl = records.Min(record => record.TtlSeconds ?? zone.TtlSeconds);
        var set = new NameSet { Type = (ushort)type, Count = (ushort)records.Length, Offset = _bytes.Length };
        var targets = new List<(string Name, int At)>();
        foreach (NameRecord record in records)
        {
            int at = DnsWire.HeaderBytes + nameBytes + 4 + _bytes.Length - set.Offset;
            _bytes.Record(owner, (ushort)type, ttl, DataOf(record));
            if (type == NameRecordType.Srv)
            {
                targets.Add((DomainName.Normalise(record.Target), at + 2 + DnsWire.RecordFixedBytes + 6));
            }
        }

        set.Bytes = _bytes.Length - set.Offset;
        if (type is NameRecordType.A or NameRecordType.Aaaa)
        {
            set.RecordBytes = (ushort)(set.Bytes / records.Length);
            AddStarts(ref set, records);
        }
        else if (targets.Count > 0)
        {
            AddAdditional(ref set, targets);
        }

        return set;
    }

    /// <summary>Lists which record is first how often, when the weights are not all alike.</summary>
    private void AddStarts(ref NameSet set, NameRecord[] records)
    {
        const int MaxStarts = 1024;
        long total = records.Sum(record => (long)Math.Max(0, record.Weight));
        if (total == 0 || records.All(record => record.Weight == records[0].Weight))
        {
            return;
        }

        int length = (int)Math.Min(total, MaxStarts);
        set.StartsOffset = _bytes.Length;
        int given = 0;
        long sum = 0;
        for (int i = 0; i < records.Length; i++)
        {
            // Cumulative rounding: each record's share is right within one entry, and together they are all of them.
            sum += Math.Max(0, records[i].Weight);
            for (int upTo = (int)(sum * length / total); given < upTo; given++)
            {
                _bytes.Add([(byte)i, (byte)(i >> 8)]);
            }
        }

        set.Starts = (ushort)given;
    }

    /// <summary>Adds the addresses of the hosts that SRV records name, as far as the name of each can be pointed to.</summary>
    private void AddAdditional(ref NameSet set, List<(string Name, int At)> targets)
    {
        const int MaxHosts = 32, MaxPointer = 0x3FFF;
        set.AdditionalOffset = _bytes.Length;
        foreach ((string name, int at) in targets.DistinctBy(target => target.Name).Take(MaxHosts))
        {
            if (at > MaxPointer || !_nodes.TryGetValue(name, out Node? host))
            {
                continue;
            }

            foreach (NameRecord record in host.Records.Where(record => record.Type is NameRecordType.A or NameRecordType.Aaaa).Take(4))
            {
                int ttl = record.TtlSeconds ?? _spec.Zones[host.Zone].TtlSeconds;
                _bytes.Record((ushort)(0xC000 | at), (ushort)record.Type, ttl, DataOf(record));
                set.AdditionalCount++;
            }
        }

        set.AdditionalBytes = (ushort)(_bytes.Length - set.AdditionalOffset);
    }

    /// <summary>An alias answers every question with itself, and for addresses with those at the end of the chain (RFC 1034 3.6.2).</summary>
    private void AddAlias(Node node, NameRecord alias, int nameBytes)
    {
        int start = _bytes.Length, count = 0, firstBytes = 0;
        ushort owner = DnsWire.QuestionPointer;
        Node? end = node;
        bool isOthers = false;
        for (NameRecord? next = alias; next is not null && count < MaxAliases; count++)
        {
            string target = DomainName.Normalise(next.Target);
            int at = DnsWire.HeaderBytes + nameBytes + 4 + _bytes.Length - start;
            _bytes.Record(owner, DnsWire.TypeCname, next.TtlSeconds ?? _spec.Zones[end!.Zone].TtlSeconds, DomainName.ToWire(target));
            firstBytes = count == 0 ? _bytes.Length - start : firstBytes;
            owner = (ushort)(0xC000 | (at + 2 + DnsWire.RecordFixedBytes));
            end = _nodes.GetValueOrDefault(target);
            isOthers = end is null && !_zones.Keys.Any(zone => !_spec.Zones[_zones[zone]].IsPartial && DomainName.IsAtOrUnder(target, zone));
            next = end?.Records.Find(record => record.Type == NameRecordType.Cname);
        }

        int prefix = _bytes.Length - start;
        byte[] chain = _bytes.Slice(start, prefix);
        _sets.Add(new NameSet { Type = DnsWire.TypeCname, Count = 1, Offset = start, Bytes = firstBytes });
        foreach (NameRecordType type in new[] { NameRecordType.A, NameRecordType.Aaaa })
        {
            NameRecord[] records = [.. (end?.Records ?? []).Where(record => record.Type == type).Take(MaxRecords)];
            if (records.Length > 0)
            {
                int at = _bytes.Length;
                _bytes.Add(chain);
                NameSet set = CompileSet(end!, type, records, owner, nameBytes);
                _sets.Add(set with
                {
                    Offset = at,
                    Bytes = set.Bytes + prefix,
                    PrefixBytes = (ushort)prefix,
                    PrefixCount = (ushort)count,
                    Count = (ushort)(set.Count + count),
                });
            }
        }

        _sets.Add(new NameSet { Type = NameSet.AnyOther, Count = (ushort)count, Offset = start, Bytes = prefix, IsAliasOfOthers = isOthers });
    }

    private static byte[] DataOf(NameRecord record)
    {
        switch (record.Type)
        {
            case NameRecordType.Srv:
                byte[] target = DomainName.ToWire(DomainName.Normalise(record.Target));
                byte[] data = new byte[6 + target.Length];
                BinaryPrimitives.WriteUInt16BigEndian(data, record.Priority);
                BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(2), (ushort)record.Weight);
                BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(4), record.Port);
                target.CopyTo(data, 6);
                return data;
            case NameRecordType.Txt:
                byte[] text = Encoding.UTF8.GetBytes(record.Text);
                return [(byte)text.Length, .. text];
            case NameRecordType.A or NameRecordType.Aaaa:
                byte[] address = new byte[record.Address.WireLengthBytes];
                record.Address.Write(address);
                return address;
            default:
                return DomainName.ToWire(DomainName.Normalise(record.Target));
        }
    }
}
