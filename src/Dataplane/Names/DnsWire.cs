namespace Dataplane.Names;

/// <summary>Numbers of the domain name system's messages (RFC 1035 4.1.1, RFC 6891 6.1).</summary>
internal static class DnsWire
{
    public const int Port = 53;
    public const int HeaderBytes = 12;

    /// <summary>Largest message to who says nothing of larger ones (RFC 1035 4.2.1).</summary>
    public const int MinUdpBytes = 512;

    /// <summary>Largest message over UDP whatever the other side says: none is ever fragmented (DNS flag day 2020).</summary>
    public const int MaxUdpBytes = 1232;

    /// <summary>Pointer to the name in the question, which always stands behind the header.</summary>
    public const ushort QuestionPointer = 0xC00C;

    public const ushort Response = 0x8000, Authoritative = 0x0400, Truncated = 0x0200, RecursionDesired = 0x0100, RecursionAvailable = 0x0080, CheckingDisabled = 0x0010;
    public const ushort OpcodeMask = 0x7800;

    public const int NoError = 0, FormErr = 1, ServFail = 2, NxDomain = 3, NotImp = 4, Refused = 5, BadVers = 16;

    public const ushort TypeA = 1, TypeNs = 2, TypeCname = 5, TypeSoa = 6, TypePtr = 12, TypeHinfo = 13, TypeTxt = 16, TypeAaaa = 28, TypeSrv = 33, TypeDname = 39, TypeOpt = 41, TypeRrsig = 46, TypeAny = 255;
    public const ushort ClassIn = 1;

    /// <summary>Fixed part of a resource record behind its name: type, class, TTL, length of the data.</summary>
    public const int RecordFixedBytes = 10;

    public const int OptBytes = 11;
}
