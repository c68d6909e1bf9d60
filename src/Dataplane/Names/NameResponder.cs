using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>Makes the response to a query out of a table: a function of bytes, used on the packet path and by tests alike. Allocates nothing.</summary>
internal static class NameResponder
{
    /// <summary>What RFC 8482 4.2 has servers say that answer no ANY: HINFO "RFC8482" "".</summary>
    private static ReadOnlySpan<byte> AnyAnswer =>
        [0xC0, 0x0C, 0, (byte)DnsWire.TypeHinfo, 0, 1, 0, 0, 0x0E, 0x10, 0, 9, 7, (byte)'R', (byte)'F', (byte)'C', (byte)'8', (byte)'4', (byte)'8', (byte)'2', 0];

    /// <summary>Answers a query, or says what else is to be done with it.</summary>
    /// <param name="table">The names.</param>
    /// <param name="message">The query.</param>
    /// <param name="target">Where the response is written.</param>
    /// <param name="maxBytes">Largest response that may be sent; over UDP the sender may want less.</param>
    /// <param name="isUdp">Whether the transport has limits of its own (RFC 1035 4.2.1, RFC 6891 6.2.3).</param>
    /// <param name="scratch">Memory and chance of the calling thread.</param>
    public static NameResponse Respond(NameTable table, ReadOnlySpan<byte> message, Span<byte> target, int maxBytes, bool isUdp, NameScratch scratch)
    {
        NameQuery.Read(message, out NameQuery query);
        if (query.Rcode < 0)
        {
            return new NameResponse { Kind = NameResponseKind.None };
        }

        int limit = !isUdp ? maxBytes : !query.HasEdns ? DnsWire.MinUdpBytes : Math.Clamp((int)query.EdnsBytes, DnsWire.MinUdpBytes, Math.Max(maxBytes, DnsWire.MinUdpBytes));
        var writer = new ResponseWriter(target[..Math.Min(limit, target.Length)], message, in query, table.CanForward);
        int rcode = query.Rcode != DnsWire.NoError ? query.Rcode : CheckType(in query);
        if (rcode == DnsWire.NoError)
        {
            Span<byte> name = scratch.Name.AsSpan(0, query.NameBytes);
            NameHash.Lower(message.Slice(DnsWire.HeaderBytes, query.NameBytes), scratch.Name);
            int entry = table.Find(name);
            if (entry < 0)
            {
                int zone = table.FindZone(name, query.Labels);
                if (zone < 0)
                {
                    if (table.CanForward && (query.Flags & DnsWire.RecursionDesired) != 0)
                    {
                        return new NameResponse { Kind = NameResponseKind.Forward };
                    }

                    rcode = DnsWire.Refused;
                }
                else
                {
                    rcode = DnsWire.NxDomain;
                    writer.Deny(table, zone);
                }
            }
            else if (!Answer(table, in table.EntryOf(entry), in query, ref writer, scratch))
            {
                return new NameResponse { Kind = NameResponseKind.Forward };
            }
        }

        return writer.Finish(rcode);
    }

    /// <summary>Response code of what is asked for, whatever the name.</summary>
    private static int CheckType(in NameQuery query)
    {
        if (query.Class != DnsWire.ClassIn)
        {
            return DnsWire.Refused;
        }

        return query.Type switch
        {
            0 or DnsWire.TypeOpt => DnsWire.FormErr,
            251 or 252 => DnsWire.Refused, // Transfers of zones: not from here, least of all over UDP.
            >= 128 and < DnsWire.TypeAny => DnsWire.NotImp, // Other types of queries (RFC 6895 3.1).
            _ => DnsWire.NoError,
        };
    }

    /// <returns>False when the answer must be asked for elsewhere.</returns>
    private static bool Answer(NameTable table, in NameEntry entry, in NameQuery query, ref ResponseWriter writer, NameScratch scratch)
    {
        ReadOnlySpan<NameSet> sets = table.SetsOf(in entry);
        if (query.Type == DnsWire.TypeAny && sets.Length > 0)
        {
            writer.Add(AnyAnswer, 1);
            return true;
        }

        for (int i = 0; i < sets.Length; i++)
        {
            if (sets[i].IsSynthesized && !Dns64.MayAnswer(in query))
            {
                continue;
            }

            if (sets[i].Type == query.Type || sets[i].Type == NameSet.AnyOther)
            {
                if (sets[i].IsAliasOfOthers && table.CanForward && (query.Flags & DnsWire.RecursionDesired) != 0)
                {
                    return false;
                }

                writer.Add(table.Bytes, in sets[i], scratch);
                return true;
            }
        }

        writer.Deny(table, entry.Zone);
        return true;
    }
}
