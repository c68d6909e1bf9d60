using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>Writes one response, as far as there is room.</summary>
internal ref struct ResponseWriter
{
    private readonly Span<byte> _target;
    private readonly int _end;
    private readonly ushort _id;
    private readonly ushort _echoed;
    private readonly int _nameBytes;
    private readonly bool _hasEdns;
    private readonly bool _dnssecOk;
    private int _at;
    private ushort _flags;
    private ushort _answers;
    private ushort _authorities;
    private ushort _additionals;

    /// <param name="target">512 bytes or more: question and OPT always fit.</param>
    /// <param name="message">The query; its question is repeated byte by byte, so that letters keep their case, by which some know their answers (0x20).</param>
    /// <param name="query">What was read of it.</param>
    /// <param name="isRecursive">Whether names of others would be asked upstream.</param>
    public ResponseWriter(Span<byte> target, ReadOnlySpan<byte> message, in NameQuery query, bool isRecursive)
    {
        _target = target;
        _id = query.Id;
        _echoed = (ushort)(query.Flags & (DnsWire.OpcodeMask | DnsWire.RecursionDesired | DnsWire.CheckingDisabled));
        _flags = isRecursive ? DnsWire.RecursionAvailable : (ushort)0;
        _nameBytes = query.NameBytes;
        _hasEdns = query.HasEdns;
        _dnssecOk = query.DnssecOk;
        _end = target.Length - (_hasEdns ? DnsWire.OptBytes : 0);
        message.Slice(DnsWire.HeaderBytes, query.QuestionBytes).CopyTo(target[DnsWire.HeaderBytes..]);
        _at = DnsWire.HeaderBytes + query.QuestionBytes;
    }

    /// <summary>Adds records that are short enough to fit always.</summary>
    public void Add(scoped ReadOnlySpan<byte> records, int count)
    {
        records.CopyTo(_target[_at..]);
        _at += records.Length;
        _answers += (ushort)count;
        _flags |= DnsWire.Authoritative;
    }

    /// <summary>Adds a record that others have said, if there is room; if not, the response says that there are more.</summary>
    /// <param name="owner">Its owner: a pointer, or the name.</param>
    /// <param name="record">The record.</param>
    public bool TryAddForwarded(scoped ReadOnlySpan<byte> owner, DnsMessage.Record record)
    {
        int length = owner.Length + DnsWire.RecordFixedBytes + record.Data.Length;
        if (length > _end - _at || _answers == ushort.MaxValue)
        {
            _flags |= DnsWire.Truncated;
            return false;
        }

        owner.CopyTo(_target[_at..]);
        Span<byte> rest = _target[(_at + owner.Length)..];
        BinaryPrimitives.WriteUInt16BigEndian(rest, record.Type);
        BinaryPrimitives.WriteUInt16BigEndian(rest[2..], record.Class);
        BinaryPrimitives.WriteUInt32BigEndian(rest[4..], record.Ttl);
        BinaryPrimitives.WriteUInt16BigEndian(rest[8..], (ushort)record.Data.Length);
        record.Data.CopyTo(rest[DnsWire.RecordFixedBytes..]);
        _at += length;
        _answers++;
        return true;
    }

    /// <summary>Adds a set, beginning with another record each time.</summary>
    /// <remarks>Of a set that does not fit go as many records as do, and the response says that there are more: resolvers that ask again over TCP ignore
    /// them, and those that do not still get a server each, and each time others.</remarks>
    public void Add(scoped ReadOnlySpan<byte> bytes, in NameSet set, NameScratch scratch)
    {
        _flags |= DnsWire.Authoritative;
        ReadOnlySpan<byte> records = bytes.Slice(set.Offset, set.Bytes);
        if (set.RecordBytes == 0)
        {
            AddInOrder(records, set.Count);
        }
        else
        {
            AddRotated(bytes, records, in set, scratch);
        }

        if (set.AdditionalCount > 0 && _end - _at >= set.AdditionalBytes && (_flags & DnsWire.Truncated) == 0)
        {
            bytes.Slice(set.AdditionalOffset, set.AdditionalBytes).CopyTo(_target[_at..]);
            _at += set.AdditionalBytes;
            _additionals = set.AdditionalCount;
        }
    }

    /// <summary>Says which zone there is nothing in, and for how long that holds (RFC 2308).</summary>
    public void Deny(NameTable table, int zone)
    {
        ref readonly NameTable.Zone of = ref table.ZoneOf(zone);
        _flags |= DnsWire.Authoritative;
        if (of.SoaBytes == 0 || _end - _at < of.SoaBytes + 2)
        {
            return;
        }

        // The zone's name is the end of the name in the question.
        BinaryPrimitives.WriteUInt16BigEndian(_target[_at..], (ushort)(0xC000 | (DnsWire.HeaderBytes + _nameBytes - of.NameBytes)));
        table.Bytes.AsSpan(of.SoaOffset, of.SoaBytes).CopyTo(_target[(_at + 2)..]);
        _at += of.SoaBytes + 2;
        _authorities = 1;
    }

    /// <summary>Writes OPT record and header.</summary>
    public NameResponse Finish(int rcode)
    {
        if (_hasEdns)
        {
            Span<byte> opt = _target.Slice(_at, DnsWire.OptBytes);
            opt.Clear();
            opt[2] = (byte)DnsWire.TypeOpt;
            BinaryPrimitives.WriteUInt16BigEndian(opt[3..], DnsWire.MaxUdpBytes);
            opt[5] = (byte)(rcode >> 4);
            opt[7] = _dnssecOk ? (byte)0x80 : (byte)0;
            _at += DnsWire.OptBytes;
            _additionals++;
        }

        if (rcode is not (DnsWire.NoError or DnsWire.NxDomain))
        {
            _flags &= unchecked((ushort)~DnsWire.Authoritative);
        }

        BinaryPrimitives.WriteUInt16BigEndian(_target, _id);
        BinaryPrimitives.WriteUInt16BigEndian(_target[2..], (ushort)(DnsWire.Response | _echoed | _flags | (rcode & 15)));
        BinaryPrimitives.WriteUInt16BigEndian(_target[4..], _nameBytes == 0 ? (ushort)0 : (ushort)1);
        BinaryPrimitives.WriteUInt16BigEndian(_target[6..], _answers);
        BinaryPrimitives.WriteUInt16BigEndian(_target[8..], _authorities);
        BinaryPrimitives.WriteUInt16BigEndian(_target[10..], _additionals);
        return new NameResponse
        {
            Kind = NameResponseKind.Response,
            Bytes = _at,
            Rcode = rcode,
            Records = _answers,
            IsTruncated = (_flags & DnsWire.Truncated) != 0,
        };
    }

    private void AddInOrder(scoped ReadOnlySpan<byte> records, int count)
    {
        if (records.Length > _end - _at)
        {
            _flags |= DnsWire.Truncated;
            (int fit, count) = Fitting(records, _end - _at);
            records = records[..fit];
        }

        records.CopyTo(_target[_at..]);
        _at += records.Length;
        _answers = (ushort)count;
    }

    private static (int Bytes, int Count) Fitting(ReadOnlySpan<byte> records, int room)
    {
        int at = 0, count = 0;
        while (at < records.Length)
        {
            int next = at + 2 + DnsWire.RecordFixedBytes + BinaryPrimitives.ReadUInt16BigEndian(records[(at + 10)..]);
            if (next > room)
            {
                break;
            }

            (at, count) = (next, count + 1);
        }

        return (at, count);
    }

    private void AddRotated(scoped ReadOnlySpan<byte> bytes, scoped ReadOnlySpan<byte> records, in NameSet set, NameScratch scratch)
    {
        int prefix = set.PrefixBytes, size = set.RecordBytes, rotating = set.Count - set.PrefixCount;
        if (prefix > _end - _at)
        {
            // Not even the aliases fit: then none of it (names of 250 bytes, several times).
            _flags |= DnsWire.Truncated;
            return;
        }

        records[..prefix].CopyTo(_target[_at..]);
        _at += prefix;
        int count = Math.Min(rotating, (_end - _at) / size);
        if (count < rotating)
        {
            _flags |= DnsWire.Truncated;
        }

        uint first = set.Starts == 0 ? scratch.Below((uint)rotating)
            : BinaryPrimitives.ReadUInt16LittleEndian(bytes[(set.StartsOffset + (2 * (int)scratch.Below(set.Starts)))..]);
        ReadOnlySpan<byte> ring = records[prefix..];
        int start = (int)first * size, whole = count * size, upToEnd = Math.Min(whole, ring.Length - start);
        ring.Slice(start, upToEnd).CopyTo(_target[_at..]);
        ring[..(whole - upToEnd)].CopyTo(_target[(_at + upToEnd)..]);
        _at += whole;
        _answers = (ushort)(count + set.PrefixCount);
    }
}
