using System.Buffers.Binary;
using System.Text;

namespace Dataplane.Names;

/// <summary>Compiles names into answers that only need to be copied. Control side.</summary>
/// <param name="arena">Where the answers are put.</param>
/// <param name="find">The name of others, or null when there is none.</param>
/// <param name="zoneOf">The zone that a name is in, or null when it is a matter of others.</param>
/// <param name="serverRecords">The records of the server's own name.</param>
/// <param name="dns64">Which addresses names get that have none of IPv6; null: none.</param>
internal sealed class NameCompiler(NameArena arena, Func<string, NameNode?> find, Func<string, NameZone?> zoneOf, Func<string, IEnumerable<NameRecord>> serverRecords, Dns64Spec? dns64)
{
    /// <summary>Records of one type and name: as many addresses as fit one message over TCP.</summary>
    private const int MaxRecords = 4000;

    /// <summary>Aliases followed one after the other; a chain that is longer is most likely a ring.</summary>
    private const int MaxAliases = 8;

    private readonly RecordBytes _bytes = arena.Bytes;

    /// <summary>Other names that were looked at for the answers of the name in hand.</summary>
    private readonly List<string> _looked = [];

    /// <summary>Compiles what denials of a zone carry.</summary>
    /// <returns>Its number.</returns>
    public int AddZone(string top, ZoneSpec zone)
    {
        int nameBytes = DomainName.ToWire(top).Length, labels = DomainName.LabelsOf(top);
        if (zone.IsPartial)
        {
            return arena.Add(new NameTable.Zone(nameBytes, labels, IsPartial: true, 0, 0));
        }

        int start = _bytes.Length;
        _bytes.Record(DnsWire.QuestionPointer, DnsWire.TypeSoa, zone.NegativeTtlSeconds, SoaData(top, zone));
        return arena.Add(new NameTable.Zone(nameBytes, labels, IsPartial: false, start + 2, _bytes.Length - start - 2));
    }

    /// <summary>Compiles a name. What was compiled of it before stays where it is, for the tables that have it.</summary>
    public void Compile(NameNode node)
    {
        _looked.Clear();
        byte[] name = DomainName.ToWire(node.Name);
        int offset = _bytes.Length, first = arena.SetCount;
        _bytes.Add(name);
        NameRecord[] records = RecordsOf(node);
        if (Array.Find(records, record => record.Type == NameRecordType.Cname) is { } alias)
        {
            AddAlias(node, alias, name.Length);
        }
        else
        {
            foreach (IGrouping<NameRecordType, NameRecord> group in records.GroupBy(record => record.Type))
            {
                arena.Add(CompileSet(TtlOf(node), group.Key, [.. group.Take(MaxRecords)], DnsWire.QuestionPointer, name.Length));
            }

            if (node.Apex is { } apex)
            {
                AddApex(apex);
            }
        }

        node.Watched = _looked.Count == 0 ? [] : [.. _looked.Distinct()];
        node.Entry = arena.Add(new NameEntry
        {
            NameOffset = offset,
            NameBytes = (byte)name.Length,
            FirstSet = first,
            Sets = (ushort)(arena.SetCount - first),
            Zone = (ushort)zoneOf(node.Name)!.Number,
            IsApex = node.Apex is not null,
        });
    }

    private NameRecord[] RecordsOf(NameNode node)
    {
        if (node.Records.Count == 0 && node.IsServer)
        {
            return [.. serverRecords(node.Name)];
        }

        NameRecord[] records = [.. node.Records.Select(entry => entry.Record)];
        return dns64 is null ? records : Dns64.Translate(dns64, records);
    }

    /// <summary>How long records of a name may be kept that do not say it themselves.</summary>
    private int TtlOf(NameNode node) => zoneOf(node.Name)!.Spec.TtlSeconds;

    /// <summary>The data of the zone's SOA record (RFC 1035 3.3.13). Its last number is how long denials hold (RFC 2308 4).</summary>
    private static byte[] SoaData(string top, ZoneSpec zone)
    {
        byte[] numbers = new byte[20];
        foreach ((int at, int value) in new[] { (0, 1), (4, 7200), (8, 1800), (12, 86400), (16, zone.NegativeTtlSeconds) })
        {
            BinaryPrimitives.WriteInt32BigEndian(numbers.AsSpan(at), value);
        }

        bool isLong = NameZone.IsLong(top);
        return [.. DomainName.ToWire(isLong ? top : $"ns.dns.{top}"), .. DomainName.ToWire(isLong ? top : $"hostmaster.{top}"), .. numbers];
    }

    /// <summary>The top of a zone has the record that denials carry, and says who answers for it.</summary>
    private void AddApex(NameZone zone)
    {
        NameTable.Zone of = arena.Zones[zone.Number];
        arena.Add(new NameSet { Type = DnsWire.TypeSoa, Count = 1, Offset = of.SoaOffset - 2, Bytes = of.SoaBytes + 2 });
        if (zone.ServerName is not null)
        {
            int at = _bytes.Length;
            _bytes.Record(DnsWire.QuestionPointer, DnsWire.TypeNs, zone.Spec.TtlSeconds, DomainName.ToWire(zone.ServerName));
            arena.Add(new NameSet { Type = DnsWire.TypeNs, Count = 1, Offset = at, Bytes = _bytes.Length - at });
        }
    }

    /// <summary>Records of one type. Their owner is the name that the pointer leads to.</summary>
    private NameSet CompileSet(int zoneTtlSeconds, NameRecordType type, NameRecord[] records, ushort owner, int nameBytes)
    {
        int ttl = records.Min(record => record.TtlSeconds ?? zoneTtlSeconds);
        var set = new NameSet { Type = (ushort)type, Count = (ushort)records.Length, Offset = _bytes.Length, IsSynthesized = records[0].IsSynthesized };
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
            _looked.Add(name);
            if (at > MaxPointer || find(name) is not { } host)
            {
                continue;
            }

            foreach (NameRecord record in RecordsOf(host).Where(record => record.Type is NameRecordType.A or NameRecordType.Aaaa).Take(4))
            {
                int ttl = record.TtlSeconds ?? TtlOf(host);
                _bytes.Record((ushort)(0xC000 | at), (ushort)record.Type, ttl, DataOf(record));
                set.AdditionalCount++;
            }
        }

        set.AdditionalBytes = (ushort)(_bytes.Length - set.AdditionalOffset);
    }

    /// <summary>An alias answers every question with itself, and for addresses with those at the end of the chain (RFC 1034 3.6.2).</summary>
    private void AddAlias(NameNode node, NameRecord alias, int nameBytes)
    {
        int start = _bytes.Length, count = 0, firstBytes = 0;
        ushort owner = DnsWire.QuestionPointer;
        NameNode? end = node;
        bool isOthers = false;
        for (NameRecord? next = alias; next is not null && count < MaxAliases; count++)
        {
            string target = DomainName.Normalise(next.Target);
            int at = DnsWire.HeaderBytes + nameBytes + 4 + _bytes.Length - start;
            _bytes.Record(owner, DnsWire.TypeCname, next.TtlSeconds ?? TtlOf(end!), DomainName.ToWire(target));
            firstBytes = count == 0 ? _bytes.Length - start : firstBytes;
            owner = (ushort)(0xC000 | (at + 2 + DnsWire.RecordFixedBytes));
            _looked.Add(target);
            end = find(target);
            isOthers = end is null && IsOthers(target);
            next = end is null ? null : Array.Find(RecordsOf(end), record => record.Type == NameRecordType.Cname);
        }

        int prefix = _bytes.Length - start;
        arena.Add(new NameSet { Type = DnsWire.TypeCname, Count = 1, Offset = start, Bytes = firstBytes });
        foreach (NameRecordType type in new[] { NameRecordType.A, NameRecordType.Aaaa })
        {
            NameRecord[] records = end is null ? [] : [.. RecordsOf(end).Where(record => record.Type == type).Take(MaxRecords)];
            if (records.Length > 0)
            {
                int at = _bytes.Length;
                _bytes.Add(_bytes.Span(start, prefix));
                NameSet set = CompileSet(TtlOf(end!), type, records, owner, nameBytes);
                arena.Add(set with
                {
                    Offset = at,
                    Bytes = set.Bytes + prefix,
                    PrefixBytes = (ushort)prefix,
                    PrefixCount = (ushort)count,
                    Count = (ushort)(set.Count + count),
                });
            }
        }

        arena.Add(new NameSet { Type = NameSet.AnyOther, Count = (ushort)count, Offset = start, Bytes = prefix, IsAliasOfOthers = isOthers });
    }

    /// <summary>Whether no whole zone of the server holds a name: those above the deepest count too, which may be partial.</summary>
    private bool IsOthers(string name)
    {
        for (string? above = name; above is not null; above = DomainName.ParentOf(above))
        {
            if (find(above)?.Apex is not null)
            {
                return false;
            }
        }

        return true;
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
