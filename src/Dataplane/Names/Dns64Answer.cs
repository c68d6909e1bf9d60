using System.Buffers.Binary;
using Dataplane.Nat64;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>Makes the answer to a question for IPv6 addresses out of what upstream says (RFC 6147 5.1). Functions of bytes; control side; throws for no bytes.</summary>
internal static class Dns64Answer
{
    /// <summary>How long an address is kept when the denial did not say how long it holds (RFC 6147 5.1.7).</summary>
    private const uint MaxTtlSeconds = 600;

    /// <summary>Whether what upstream says of IPv6 addresses leaves nothing to do; if not, IPv4 addresses are to be asked for.</summary>
    /// <param name="spec">What is passed over.</param>
    /// <param name="query">The query for IPv6 addresses.</param>
    /// <param name="response">What upstream says of it; null when nobody answered, which is as an empty answer (5.1.3).</param>
    /// <param name="answer">The response to send, with addresses that are passed over taken out (5.1.4).</param>
    public static bool IsEnough(Dns64Spec spec, ReadOnlySpan<byte> query, byte[]? response, out byte[]? answer)
    {
        answer = response;
        if (response is null)
        {
            return false;
        }

        // That there is no such name holds for both families (5.1.2); every other error is as an empty answer. What was cut off cannot be judged.
        if ((response[3] & 15) == DnsWire.NxDomain || (response[2] & (DnsWire.Truncated >> 8)) != 0)
        {
            return true;
        }

        if ((response[3] & 15) != DnsWire.NoError || DnsMessage.ReadAnswers(response) is not { } records || !records.Exists(IsAddress))
        {
            return false;
        }

        List<DnsMessage.Record> left = records.FindAll(record => !IsAddress(record) || !Dns64.IsExcluded(spec, IpAddress.ReadV6(record.Data)));
        if (left.Count < records.Count)
        {
            answer = Write(query, response, left.FindAll(record => record.Type != DnsWire.TypeRrsig));
            return left.Exists(IsAddress);
        }

        return true;
    }

    /// <summary>Makes IPv6 addresses of what upstream says of IPv4 ones; null when it says none that may be embedded.</summary>
    /// <param name="spec">The prefix.</param>
    /// <param name="query">The query for IPv6 addresses.</param>
    /// <param name="denial">What upstream said of these, whose SOA record says how long that holds; or null.</param>
    /// <param name="response">What it says of IPv4 addresses.</param>
    public static byte[]? Synthesize(Dns64Spec spec, ReadOnlySpan<byte> query, byte[]? denial, byte[] response)
    {
        if ((response[3] & 15) != DnsWire.NoError || DnsMessage.ReadAnswers(response) is not { } records)
        {
            return null;
        }

        uint limit = denial is null ? MaxTtlSeconds : DnsMessage.ReadSoaTtl(denial) ?? MaxTtlSeconds;
        var made = new List<DnsMessage.Record>();
        bool hasAny = false;
        foreach (DnsMessage.Record record in records)
        {
            // Aliases stay as they are (5.1.5). Signatures are of other records, or of a chain that now ends in what nobody has signed.
            if (record.Type is DnsWire.TypeCname or DnsWire.TypeDname)
            {
                made.Add(record);
            }
            else if (record is { Type: DnsWire.TypeA, Class: DnsWire.ClassIn, Data.Length: 4 } && Dns64.IsEmbedded(spec, IpAddress.ReadV4(record.Data)))
            {
                byte[] address = new byte[16];
                EmbeddedAddress.Embed(spec.Prefix, IpAddress.ReadV4(record.Data)).Write(address);
                made.Add(record with { Type = DnsWire.TypeAaaa, Ttl = Math.Min(record.Ttl, limit), Data = address });
                hasAny = true;
            }
        }

        return hasAny ? Write(query, response, made) : null;
    }

    private static bool IsAddress(DnsMessage.Record record) => record is { Type: DnsWire.TypeAaaa, Class: DnsWire.ClassIn, Data.Length: 16 };

    /// <summary>Writes a response of these records: not authoritative, and not said to be authenticated, since nobody has signed it (5.5).</summary>
    private static byte[] Write(ReadOnlySpan<byte> query, byte[] response, List<DnsMessage.Record> records)
    {
        NameQuery.Read(query, out NameQuery read);
        byte[] target = new byte[ushort.MaxValue];
        var writer = new ResponseWriter(target, query, in read, isRecursive: (response[3] & DnsWire.RecursionAvailable) != 0);
        ReadOnlySpan<byte> asked = query.Slice(DnsWire.HeaderBytes, read.NameBytes);
        foreach (DnsMessage.Record record in records)
        {
            if (!writer.TryAddForwarded(record.Name.AsSpan().SequenceEqual(asked) ? [DnsWire.QuestionPointer >> 8, DnsWire.QuestionPointer & 0xFF] : record.Name, record))
            {
                break;
            }
        }

        NameResponse made = writer.Finish(DnsWire.NoError);
        return target[..made.Bytes];
    }
}
