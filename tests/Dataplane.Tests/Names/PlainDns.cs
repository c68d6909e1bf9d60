using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Dataplane.Packets;

namespace Dataplane.Tests.Names;

/// <summary>A slow and plain decoder of DNS messages, written from RFC 1035 for tests alone: it shares nothing with the server.</summary>
internal sealed class PlainDns
{
    private PlainDns()
    {
    }

    internal sealed record Question(string Name, int Type, int Class);

    internal sealed record Record(string Name, int Type, int Class, long Ttl, byte[] Data, string Text);

    public int Id { get; private init; }

    public bool IsResponse { get; private init; }

    public int Opcode { get; private init; }

    public bool Authoritative { get; private init; }

    public bool Truncated { get; private init; }

    public bool RecursionDesired { get; private init; }

    public bool RecursionAvailable { get; private init; }

    /// <summary>Response code with the upper bits of the OPT record.</summary>
    public int Rcode { get; private init; }

    public List<Question> Questions { get; } = [];

    public List<Record> Answers { get; } = [];

    public List<Record> Authority { get; } = [];

    public List<Record> Additional { get; } = [];

    public Record? Opt => Additional.Find(record => record.Type == 41);

    /// <summary>The texts of the answers of one type.</summary>
    public string[] Texts(int type) => [.. Answers.Where(record => record.Type == type).Select(record => record.Text)];

    /// <summary>Reads a message to its last byte; throws when anything is wrong with it.</summary>
    public static PlainDns Read(byte[] bytes)
    {
        int flags = Number(bytes, 2, 2), at = 12;
        var questions = new List<Question>();
        for (int i = 0; i < Number(bytes, 4, 2); i++)
        {
            string name = Name(bytes, ref at);
            questions.Add(new Question(name, Number(bytes, at, 2), Number(bytes, at + 2, 2)));
            at += 4;
        }

        List<Record>[] sections = [Section(bytes, Number(bytes, 6, 2), ref at), Section(bytes, Number(bytes, 8, 2), ref at), Section(bytes, Number(bytes, 10, 2), ref at)];
        Assert.Equal(bytes.Length, at);
        int upper = sections[2].Find(record => record.Type == 41) is { } opt ? (int)(opt.Ttl >> 24) << 4 : 0;
        var message = new PlainDns
        {
            Id = Number(bytes, 0, 2),
            IsResponse = (flags & 0x8000) != 0,
            Opcode = (flags >> 11) & 15,
            Authoritative = (flags & 0x400) != 0,
            Truncated = (flags & 0x200) != 0,
            RecursionDesired = (flags & 0x100) != 0,
            RecursionAvailable = (flags & 0x80) != 0,
            Rcode = (flags & 15) | upper,
        };
        message.Questions.AddRange(questions);
        message.Answers.AddRange(sections[0]);
        message.Authority.AddRange(sections[1]);
        message.Additional.AddRange(sections[2]);
        return message;
    }

    /// <summary>Makes a query.</summary>
    /// <param name="name">The name, in the case to be sent.</param>
    /// <param name="type">Type asked for.</param>
    /// <param name="edns">Size that the OPT record states; null: there is none.</param>
    /// <param name="flags">Second word of the header.</param>
    /// <param name="queryClass">Class asked for.</param>
    /// <param name="version">EDNS version.</param>
    public static byte[] Query(string name, int type, int? edns = null, int flags = 0x0100, int queryClass = 1, int version = 0)
    {
        var bytes = new List<byte> { 0x12, 0x34, (byte)(flags >> 8), (byte)flags, 0, 1, 0, 0, 0, 0, 0, (byte)(edns is null ? 0 : 1) };
        foreach (string label in name.TrimEnd('.').Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }

        bytes.AddRange([0, (byte)(type >> 8), (byte)type, (byte)(queryClass >> 8), (byte)queryClass]);
        if (edns is { } size)
        {
            bytes.AddRange([0, 0, 41, (byte)(size >> 8), (byte)size, 0, (byte)version, 0x80, 0, 0, 0]);
        }

        return [.. bytes];
    }

    private static List<Record> Section(byte[] bytes, int count, ref int at)
    {
        var records = new List<Record>();
        for (int i = 0; i < count; i++)
        {
            string name = Name(bytes, ref at);
            int type = Number(bytes, at, 2), length = Number(bytes, at + 8, 2), data = at + 10;
            records.Add(new Record(name, type, Number(bytes, at + 2, 2), (uint)Number(bytes, at + 4, 4), bytes[data..(data + length)], Describe(bytes, type, data, length)));
            at = data + length;
        }

        return records;
    }

    private static string Describe(byte[] bytes, int type, int at, int length)
    {
        switch (type)
        {
            case 1:
                Assert.Equal(4, length);
                return IpAddress.ReadV4(bytes.AsSpan(at)).ToString();
            case 28:
                Assert.Equal(16, length);
                return IpAddress.ReadV6(bytes.AsSpan(at)).ToString();
            case 2 or 5 or 12:
                int start = at;
                string name = Name(bytes, ref at);
                Assert.Equal(length, at - start);
                return name;
            case 16:
                return Encoding.UTF8.GetString(bytes, at + 1, bytes[at]);
            case 33:
                int target = at + 6;
                string host = Name(bytes, ref target);
                return string.Create(CultureInfo.InvariantCulture, $"{Number(bytes, at, 2)} {Number(bytes, at + 2, 2)} {Number(bytes, at + 4, 2)} {host}");
            case 6:
                string server = Name(bytes, ref at), mail = Name(bytes, ref at);
                return string.Create(CultureInfo.InvariantCulture, $"{server} {mail} {Number(bytes, at + 16, 4)}");
            default:
                return Convert.ToHexString(bytes, at, length);
        }
    }

    private static string Name(byte[] bytes, ref int at)
    {
        var text = new StringBuilder();
        int place = at, jumps = 0;
        while (bytes[place] != 0)
        {
            if (bytes[place] >= 0xC0)
            {
                at = jumps++ == 0 ? place + 2 : at;
                Assert.InRange(jumps, 1, 20);
                place = Number(bytes, place, 2) & 0x3FFF;
                continue;
            }

            Assert.InRange(bytes[place], 1, 63);
            text.Append(Encoding.Latin1.GetString(bytes, place + 1, bytes[place])).Append('.');
            place += bytes[place] + 1;
        }

        at = jumps == 0 ? place + 1 : at;
        return text.Length == 0 ? "." : text.ToString();
    }

    private static int Number(byte[] bytes, int at, int size) =>
        size == 2 ? BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at)) : BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
}
