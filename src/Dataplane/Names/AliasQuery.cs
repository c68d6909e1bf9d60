using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>A query for a name that is an alias of a name of others: hosts want the address at the end and do not ask a second time.</summary>
/// <param name="Message">The query for the other name.</param>
/// <param name="Prefix">The aliases, as they stand in the answer.</param>
/// <param name="Aliases">How many they are.</param>
/// <param name="TargetAt">Where in the response the other name stands.</param>
internal sealed record AliasQuery(byte[] Message, byte[] Prefix, int Aliases, int TargetAt)
{
    /// <summary>The alias that a query asks for; null when the name is none, or leads nowhere else.</summary>
    public static AliasQuery? Find(NameTable table, ReadOnlySpan<byte> message, in NameQuery query)
    {
        byte[] lowered = new byte[DomainName.MaxWireBytes + (2 * NameHash.TailBytes)];
        NameHash.Lower(message.Slice(DnsWire.HeaderBytes, query.NameBytes), lowered);
        int entry = table.Find(lowered.AsSpan(0, query.NameBytes));
        if (entry < 0)
        {
            return null;
        }

        foreach (NameSet set in table.SetsOf(in table.EntryOf(entry)))
        {
            if (set.Type == NameSet.AnyOther && set.IsAliasOfOthers)
            {
                byte[] prefix = table.Bytes.AsSpan(set.Offset, set.Bytes).ToArray();
                int last = 0;
                for (int i = 1; i < set.Count; i++)
                {
                    last += 2 + DnsWire.RecordFixedBytes + BinaryPrimitives.ReadUInt16BigEndian(prefix.AsSpan(last + 10));
                }

                int target = last + 2 + DnsWire.RecordFixedBytes;
                byte[] asked = [.. message[..DnsWire.HeaderBytes], .. prefix.AsSpan(target), .. message.Slice(DnsWire.HeaderBytes + query.NameBytes, 4)];
                asked.AsSpan(10, 2).Clear();
                return new AliasQuery(asked, prefix, set.Count, DnsWire.HeaderBytes + query.QuestionBytes + target);
            }
        }

        return null;
    }

    /// <summary>A question for the name of an address behind the prefix of DNS64, which is an alias of that of the IPv4 address (RFC 6147 5.3.1); null when it is none.</summary>
    public static AliasQuery? FindReverse(Dns64Spec? dns64, ReadOnlySpan<byte> message, in NameQuery query)
    {
        if (dns64 is null || query.Type != DnsWire.TypePtr || query.Class != DnsWire.ClassIn || !Dns64.MayAnswer(in query)
            || Dns64.ReversedAddress(dns64, message.Slice(DnsWire.HeaderBytes, query.NameBytes)) is not { } v4)
        {
            return null;
        }

        byte[] target = DomainName.ToWire(DomainName.ReverseOf(v4));
        var prefix = new RecordBytes();
        prefix.Record(DnsWire.QuestionPointer, DnsWire.TypeCname, Dns64.ReverseTtlSeconds, target);
        byte[] asked = [.. message[..DnsWire.HeaderBytes], .. target, .. message.Slice(DnsWire.HeaderBytes + query.NameBytes, 4)];
        asked.AsSpan(10, 2).Clear();
        return new AliasQuery(asked, prefix.Span(0, prefix.Length).ToArray(), 1, DnsWire.HeaderBytes + query.QuestionBytes + 2 + DnsWire.RecordFixedBytes);
    }

    /// <summary>The response to the query that was asked: question, aliases, and what upstream says of the other name.</summary>
    /// <param name="original">The query that was asked.</param>
    /// <param name="response">What upstream says.</param>
    public byte[]? Join(ReadOnlySpan<byte> original, byte[] response)
    {
        NameQuery.Read(original, out NameQuery query);
        if (DnsMessage.ReadAnswers(response) is not { } answers)
        {
            return null;
        }

        byte[] target = new byte[ushort.MaxValue];
        var writer = new ResponseWriter(target, original, in query, isRecursive: true);
        writer.Add(Prefix, Aliases);
        NameQuery.Read(Message, out NameQuery asked);
        foreach (DnsMessage.Record record in answers)
        {
            bool isTarget = record.Name.AsSpan().SequenceEqual(Message.AsSpan(DnsWire.HeaderBytes, asked.NameBytes));
            byte[] owner = isTarget ? [(byte)(0xC0 | (TargetAt >> 8)), (byte)TargetAt] : record.Name;
            if (!writer.TryAddForwarded(owner, record))
            {
                break;
            }
        }

        NameResponse made = writer.Finish(response[3] & 15);
        return target[..made.Bytes];
    }
}
