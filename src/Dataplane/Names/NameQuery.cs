using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>A DNS query as read from its bytes: where the question is and what the sender understands. Throws for no bytes.</summary>
internal struct NameQuery
{
    /// <summary>Queries have an OPT record and perhaps a signature behind the question; whoever sends more wants the server to work for nothing.</summary>
    private const int MaxAdditional = 4;

    public ushort Id;
    public ushort Flags;

    /// <summary>Response code that the query deserves before its name is looked at; 0 when it is in order, -1 when it deserves no response at all.</summary>
    public int Rcode;

    /// <summary>Length of the name on the wire; 0 when the question could not be read.</summary>
    public int NameBytes;
    public int Labels;
    public ushort Type;
    public ushort Class;

    /// <summary>Whether there is an OPT record (RFC 6891), and what it says.</summary>
    public bool HasEdns;
    public ushort EdnsBytes;
    public bool DnssecOk;

    /// <summary>Bytes of the question: name, type and class.</summary>
    public readonly int QuestionBytes => NameBytes == 0 ? 0 : NameBytes + 4;

    /// <summary>Reads a message.</summary>
    public static void Read(ReadOnlySpan<byte> message, out NameQuery query)
    {
        query = default;
        if (message.Length < DnsWire.HeaderBytes)
        {
            query.Rcode = -1;
            return;
        }

        query.Id = BinaryPrimitives.ReadUInt16BigEndian(message);
        query.Flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        if ((query.Flags & DnsWire.Response) != 0)
        {
            // Never answered: two servers would go on for ever.
            query.Rcode = -1;
            return;
        }

        if ((query.Flags & DnsWire.OpcodeMask) != 0)
        {
            query.Rcode = DnsWire.NotImp;
            return;
        }

        query.Rcode = query.ReadQuestion(message);
    }

    private int ReadQuestion(ReadOnlySpan<byte> message)
    {
        // One question (RFC 9619), and no records that only a response has.
        ulong counts = BinaryPrimitives.ReadUInt64BigEndian(message[4..]);
        if (counts >> 16 != 1UL << 32)
        {
            return DnsWire.FormErr;
        }

        int at = DnsWire.HeaderBytes;
        while (true)
        {
            // Length bytes above 63 are pointers, which a first name has nowhere to point to, or kinds of labels that came to nothing (RFC 6891 5).
            if (at >= message.Length || message[at] > 63)
            {
                return DnsWire.FormErr;
            }

            int length = message[at++];
            if (length == 0)
            {
                break;
            }

            at += length;
            Labels++;
            if (at - DnsWire.HeaderBytes >= DomainName.MaxWireBytes)
            {
                return DnsWire.FormErr;
            }
        }

        if (message.Length - at < 4)
        {
            return DnsWire.FormErr;
        }

        NameBytes = at - DnsWire.HeaderBytes;
        Type = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
        Class = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]);
        int additional = (int)(counts & 0xFFFF);
        return additional == 0 ? DnsWire.NoError : ReadAdditional(message[(at + 4)..], additional);
    }

    private int ReadAdditional(ReadOnlySpan<byte> records, int count)
    {
        if (count > MaxAdditional)
        {
            return DnsWire.FormErr;
        }

        int version = 0;
        for (int i = 0; i < count; i++)
        {
            int name = SkipName(records);
            if (name < 0 || records.Length - name < DnsWire.RecordFixedBytes)
            {
                return DnsWire.FormErr;
            }

            ReadOnlySpan<byte> rest = records[name..];
            int data = BinaryPrimitives.ReadUInt16BigEndian(rest[8..]);
            if (rest.Length - DnsWire.RecordFixedBytes < data)
            {
                return DnsWire.FormErr;
            }

            if (BinaryPrimitives.ReadUInt16BigEndian(rest) == DnsWire.TypeOpt)
            {
                // One, at the root (RFC 6891 6.1.1).
                if (HasEdns || name != 1)
                {
                    return DnsWire.FormErr;
                }

                HasEdns = true;
                EdnsBytes = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
                version = rest[5];
                DnssecOk = (rest[6] & 0x80) != 0;
            }

            records = rest[(DnsWire.RecordFixedBytes + data)..];
        }

        return version == 0 ? DnsWire.NoError : DnsWire.BadVers;
    }

    /// <summary>Length of a name that may end in a pointer; -1 when it is cut off.</summary>
    private static int SkipName(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        while (at < bytes.Length)
        {
            int length = bytes[at];
            if (length == 0)
            {
                return at + 1;
            }

            if (length >= 0xC0)
            {
                return at + 2 <= bytes.Length ? at + 2 : -1;
            }

            if (length > 63)
            {
                return -1;
            }

            at += length + 1;
        }

        return -1;
    }
}
