using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>Reads resource records of messages from upstream. Control side; throws for no bytes.</summary>
internal static class DnsMessage
{
    /// <summary>Priority, weight and port of an SRV record, before its target.</summary>
    public const int SrvFixedBytes = 6;

    /// <summary>One record, its owner's name and names in its data without pointers.</summary>
    internal sealed record Record(byte[] Name, ushort Type, ushort Class, uint Ttl, byte[] Data);

    /// <summary>Answers of a message; null when it cannot be read.</summary>
    public static List<Record>? ReadAnswers(ReadOnlySpan<byte> message) =>
        message.Length < DnsWire.HeaderBytes ? null : ReadRecords(message, BinaryPrimitives.ReadUInt16BigEndian(message[6..]));

    /// <summary>How long a denial holds by its SOA record (RFC 2308 3); null when there is none or the message cannot be read.</summary>
    public static uint? ReadSoaTtl(ReadOnlySpan<byte> message)
    {
        int answers = message.Length < DnsWire.HeaderBytes ? 0 : BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        int count = message.Length < DnsWire.HeaderBytes ? 0 : answers + BinaryPrimitives.ReadUInt16BigEndian(message[8..]);
        uint? ttl = ReadRecords(message, count)?.Skip(answers).FirstOrDefault(record => record.Type == DnsWire.TypeSoa)?.Ttl;
        return ttl > int.MaxValue ? 0 : ttl;
    }

    /// <summary>The first records behind the question; null when the message cannot be read.</summary>
    private static List<Record>? ReadRecords(ReadOnlySpan<byte> message, int count)
    {
        int at = SkipQuestions(message);
        if (at < 0)
        {
            return null;
        }

        var records = new List<Record>();
        for (int left = count; left > 0; left--)
        {
            if (ReadName(message, ref at) is not { } name || message.Length - at < DnsWire.RecordFixedBytes)
            {
                return null;
            }

            ReadOnlySpan<byte> rest = message[at..];
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(rest);
            int length = BinaryPrimitives.ReadUInt16BigEndian(rest[8..]), data = at + DnsWire.RecordFixedBytes;
            if (message.Length - data < length)
            {
                return null;
            }

            int inner = data;
            byte[]? bytes = type switch
            {
                DnsWire.TypeCname => ReadName(message, ref inner),
                DnsWire.TypeSrv when length > SrvFixedBytes => ReadTarget(message, data),
                _ => message.Slice(data, length).ToArray(),
            };
            if (bytes is null)
            {
                return null;
            }

            records.Add(new Record(name, type, BinaryPrimitives.ReadUInt16BigEndian(rest[2..]), BinaryPrimitives.ReadUInt32BigEndian(rest[4..]), bytes));
            at = data + length;
        }

        return records;
    }

    /// <summary>Data of an SRV record: pointers in it are forbidden (RFC 2782), and sent nevertheless.</summary>
    private static byte[]? ReadTarget(ReadOnlySpan<byte> message, int data)
    {
        int name = data + SrvFixedBytes;
        return ReadName(message, ref name) is { } target ? [.. message.Slice(data, SrvFixedBytes), .. target] : null;
    }

    /// <summary>The lowest TTL of all records, OPT excepted; null when there is none or the message cannot be read. Subtracts an age from each.</summary>
    /// <param name="message">The message, changed in place.</param>
    /// <param name="ageSeconds">How old it is.</param>
    public static uint? Age(Span<byte> message, uint ageSeconds)
    {
        int at = SkipQuestions(message);
        if (at < 0)
        {
            return null;
        }

        uint? lowest = null;
        int count = BinaryPrimitives.ReadUInt16BigEndian(message[6..]) + BinaryPrimitives.ReadUInt16BigEndian(message[8..]) + BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        for (; count > 0; count--)
        {
            if (ReadName(message, ref at) is null || message.Length - at < DnsWire.RecordFixedBytes)
            {
                return null;
            }

            Span<byte> rest = message[at..];
            if (BinaryPrimitives.ReadUInt16BigEndian(rest) != DnsWire.TypeOpt)
            {
                // RFC 2181 8: what has the highest bit set is 0.
                uint ttl = BinaryPrimitives.ReadUInt32BigEndian(rest[4..]);
                ttl = ttl > int.MaxValue ? 0 : ttl;
                lowest = Math.Min(lowest ?? ttl, ttl);
                BinaryPrimitives.WriteUInt32BigEndian(rest[4..], ttl - Math.Min(ttl, ageSeconds));
            }

            at += DnsWire.RecordFixedBytes + BinaryPrimitives.ReadUInt16BigEndian(rest[8..]);
        }

        return at <= message.Length ? lowest : null;
    }

    private static int SkipQuestions(ReadOnlySpan<byte> message)
    {
        if (message.Length < DnsWire.HeaderBytes)
        {
            return -1;
        }

        int at = DnsWire.HeaderBytes;
        for (int left = BinaryPrimitives.ReadUInt16BigEndian(message[4..]); left > 0; left--)
        {
            if (ReadName(message, ref at) is null || message.Length - at < 4)
            {
                return -1;
            }

            at += 4;
        }

        return at;
    }

    /// <summary>A name without pointers; null when it is cut off, too long or points forward.</summary>
    private static byte[]? ReadName(ReadOnlySpan<byte> message, ref int at)
    {
        var name = new List<byte>(64);
        int place = at, limit = at;
        bool hasJumped = false;
        while (place < message.Length)
        {
            int length = message[place];
            if (length >= 0xC0)
            {
                // Only backwards, each time further: so it ends.
                int target = place + 1 < message.Length ? ((length & 0x3F) << 8) | message[place + 1] : int.MaxValue;
                if (target >= limit)
                {
                    return null;
                }

                at = hasJumped ? at : place + 2;
                (place, limit, hasJumped) = (target, target, true);
                continue;
            }

            if (length > 63 || message.Length - place <= length || name.Count + length + 1 > DomainName.MaxWireBytes)
            {
                return null;
            }

            foreach (byte b in message.Slice(place, length + 1))
            {
                name.Add(b);
            }

            place += length + 1;
            if (length == 0)
            {
                at = hasJumped ? at : place;
                return [.. name];
            }
        }

        return null;
    }
}
