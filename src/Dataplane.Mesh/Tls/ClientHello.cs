using System.Text;

namespace Dataplane.Mesh.Tls;

/// <summary>The greeting of a TLS client, read without answering it: whom it wants to reach (RFC 6066, 3), and what it speaks.</summary>
/// <param name="Verdict">Whether there is one; the other members are good only when it is whole.</param>
/// <param name="ServerName">The name it wants to reach, in lower case; empty when it names none.</param>
/// <param name="OffersTls13">Whether TLS 1.3 is among its versions.</param>
/// <param name="Protocols">The protocols it offers (ALPN, RFC 7301), as text.</param>
internal sealed record ClientHello(ClientHelloVerdict Verdict, string ServerName, bool OffersTls13, IReadOnlyList<string> Protocols)
{
    /// <summary>Bytes that are looked at, at most. Greetings with keys that withstand quantum computers have some 2 KB.</summary>
    internal const int MaxBytes = 16 << 10;

    private const int RecordHeaderBytes = 5, MaxRecordBytes = 1 << 14, MaxNameBytes = 255;
    private const int HandshakeRecord = 22, ClientHelloMessage = 1, ServerNameExtension = 0, ProtocolsExtension = 16, VersionsExtension = 43, Tls13 = 0x0304;

    private static readonly ClientHello s_incomplete = new(ClientHelloVerdict.Incomplete, "", false, []);
    private static readonly ClientHello s_notTls = new(ClientHelloVerdict.NotTls, "", false, []);
    private static readonly ClientHello s_tooLong = new(ClientHelloVerdict.TooLong, "", false, []);
    private static readonly ClientHello s_malformed = new(ClientHelloVerdict.Malformed, "", false, []);

    /// <summary>Reads the first bytes of a connection. Never throws; the work is bounded by <see cref="MaxBytes"/>.</summary>
    internal static ClientHello Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return s_incomplete;
        var message = new byte[Math.Min(bytes.Length, MaxBytes)];
        int length = 0;
        while (true)
        {
            // The second byte is the major version, 3 in all that is alive; what it says of the minor one means nothing (RFC 8446, 5.1).
            if (bytes.Length > 0 && bytes[0] != HandshakeRecord || bytes.Length > 1 && bytes[1] != 3)
                return length == 0 ? s_notTls : s_malformed;
            if (bytes.Length < RecordHeaderBytes)
                return s_incomplete;
            int record = (bytes[3] << 8) | bytes[4];
            if (record is 0 or > MaxRecordBytes)
                return length == 0 ? s_notTls : s_malformed;
            ReadOnlySpan<byte> fragment = bytes[RecordHeaderBytes..Math.Min(bytes.Length, RecordHeaderBytes + record)];
            if (length + fragment.Length > message.Length)
                return s_tooLong;
            fragment.CopyTo(message.AsSpan(length));
            length += fragment.Length;
            if (TryWhole(message.AsSpan(0, length), out ClientHello? hello))
                return hello;
            if (fragment.Length < record)
                return s_incomplete;
            bytes = bytes[(RecordHeaderBytes + record)..];
        }
    }

    /// <summary>Judges what has come of the message so far; false when there must be more.</summary>
    private static bool TryWhole(ReadOnlySpan<byte> message, out ClientHello hello)
    {
        hello = s_notTls;
        if (message.Length > 0 && message[0] != ClientHelloMessage)
            return true;
        var reader = new WireReader(message);
        if (!reader.TryByte(out _) || !reader.TryUInt24(out int length))
            return false;
        if (length > MaxBytes - RecordHeaderBytes)
        {
            hello = s_tooLong;
            return true;
        }

        if (!reader.TryTake(length, out ReadOnlySpan<byte> body))
            return false;
        hello = ReadBody(body) ?? s_malformed;
        return true;
    }

    private static ClientHello? ReadBody(ReadOnlySpan<byte> body)
    {
        // legacy_version, random, legacy_session_id, cipher_suites, legacy_compression_methods, extensions
        var reader = new WireReader(body);
        if (!reader.TrySkip(2 + 32) || !reader.TryVector8(out ReadOnlySpan<byte> session) || session.Length > 32
            || !reader.TryVector16(out ReadOnlySpan<byte> suites) || suites.Length is 0 || suites.Length % 2 != 0
            || !reader.TryVector8(out ReadOnlySpan<byte> compressions) || compressions.IsEmpty)
            return null;
        if (reader.IsEmpty)
            return new ClientHello(ClientHelloVerdict.Whole, "", false, []);
        return reader.TryVector16(out ReadOnlySpan<byte> extensions) && reader.IsEmpty ? ReadExtensions(extensions) : null;
    }

    private static ClientHello? ReadExtensions(ReadOnlySpan<byte> extensions)
    {
        string? name = null;
        List<string>? protocols = null;
        bool? offersTls13 = null;
        var reader = new WireReader(extensions);
        while (!reader.IsEmpty)
        {
            if (!reader.TryUInt16(out int type) || !reader.TryVector16(out ReadOnlySpan<byte> content))
                return null;

            // None may be there twice (RFC 8446, 4.2): two names would be read differently by us and by whom we hand the connection to.
            switch (type)
            {
                case ServerNameExtension when name is not null || (name = ReadName(content)) is null:
                case ProtocolsExtension when protocols is not null || (protocols = ReadProtocols(content)) is null:
                case VersionsExtension when offersTls13 is not null || (offersTls13 = ReadVersions(content)) is null:
                    return null;
            }
        }

        return new ClientHello(ClientHelloVerdict.Whole, name ?? "", offersTls13 ?? false, protocols ?? []);
    }

    /// <summary>The one host name of the extension; null when it is not as RFC 6066 has it.</summary>
    private static string? ReadName(ReadOnlySpan<byte> content)
    {
        var reader = new WireReader(content);
        if (!reader.TryVector16(out ReadOnlySpan<byte> list) || !reader.IsEmpty)
            return null;
        var names = new WireReader(list);
        if (!names.TryByte(out int kind) || kind != 0 || !names.TryVector16(out ReadOnlySpan<byte> name) || !names.IsEmpty
            || name.Length is 0 or > MaxNameBytes)
            return null;
        foreach (byte letter in name)
        {
            if (!char.IsAsciiLetterOrDigit((char)letter) && letter is not ((byte)'.' or (byte)'-' or (byte)'_'))
                return null;
        }

        return Normal(Encoding.ASCII.GetString(name));
    }

    /// <summary>A host name as names are compared: lower case, no dot at the end.</summary>
    internal static string Normal(string name) => name.ToLowerInvariant().TrimEnd('.');

    private static List<string>? ReadProtocols(ReadOnlySpan<byte> content)
    {
        var reader = new WireReader(content);
        if (!reader.TryVector16(out ReadOnlySpan<byte> list) || !reader.IsEmpty || list.IsEmpty)
            return null;
        var protocols = new List<string>();
        var names = new WireReader(list);
        while (!names.IsEmpty)
        {
            if (!names.TryVector8(out ReadOnlySpan<byte> name) || name.IsEmpty)
                return null;
            protocols.Add(Encoding.Latin1.GetString(name));
        }

        return protocols;
    }

    private static bool? ReadVersions(ReadOnlySpan<byte> content)
    {
        var reader = new WireReader(content);
        if (!reader.TryVector8(out ReadOnlySpan<byte> list) || !reader.IsEmpty || list.Length is 0 || list.Length % 2 != 0)
            return null;
        var versions = new WireReader(list);
        bool found = false;
        while (versions.TryUInt16(out int version))
            found |= version == Tls13;
        return found;
    }
}
