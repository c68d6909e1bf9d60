using Dataplane.Nat64;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>What DNS64 does with addresses and names (RFC 6147): which are embedded, which are passed over, and what is known without asking. Control side.</summary>
internal static class Dns64
{
    /// <summary>Length on the wire of the name of an IPv6 address: 32 labels of one digit, "ip6", "arpa" and the root.</summary>
    private const int ReverseBytes = 74, ReverseDigits = 32;

    /// <summary>How long the alias of an address's name may be kept.</summary>
    public const int ReverseTtlSeconds = 600;

    private const string Only = "ipv4only.arpa";

    private static readonly IpAddress[] s_only = [IpAddress.Parse("192.0.0.170"), IpAddress.Parse("192.0.0.171")];

    /// <summary>The name by which hosts find out the prefix (RFC 7050), and the names of its addresses: never asked of others (RFC 8880 7.1).</summary>
    private static readonly ZoneSpec[] s_known =
    [
        new() { Name = Only, TtlSeconds = 86400, NegativeTtlSeconds = 60, Records = [.. s_only.Select(address => NameRecord.Of(Only, address))] },
        .. s_only.Select(address => new ZoneSpec { Name = DomainName.ReverseOf(address), TtlSeconds = 86400, NegativeTtlSeconds = 60, Records = [NameRecord.Reverse(address, Only)] }),
    ];

    /// <summary>The zones of a server, with those that DNS64 adds.</summary>
    public static IReadOnlyList<ZoneSpec> ZonesOf(NameServerSpec spec)
    {
        if (spec.Dns64 is null)
        {
            return spec.Zones;
        }

        var own = spec.Zones.Select(zone => DomainName.Normalise(zone.Name)).ToHashSet(StringComparer.Ordinal);
        return [.. spec.Zones, .. s_known.Where(zone => !own.Contains(zone.Name))];
    }

    /// <summary>Whether two say the same.</summary>
    public static bool AreSame(Dns64Spec? one, Dns64Spec? other) =>
        ReferenceEquals(one, other) || (one is not null && other is not null && one.Prefix == other.Prefix && one.Exclude.SequenceEqual(other.Exclude));

    /// <summary>Whether an IPv4 address gets an IPv6 one.</summary>
    public static bool IsEmbedded(Dns64Spec spec, IpAddress v4) =>
        (EmbeddedAddress.MayEmbed(spec.Prefix, v4) || s_only.Contains(v4)) && !IsExcluded(spec, v4);

    /// <summary>Whether an address is passed over.</summary>
    public static bool IsExcluded(Dns64Spec spec, IpAddress address) => spec.Exclude.Any(prefix => prefix.Contains(address));

    /// <summary>Whether an answer may be made up: not for who says that he looks after signatures himself (RFC 6147 5.5, 3.).</summary>
    public static bool MayAnswer(in NameQuery query) => !(query.DnssecOk && (query.Flags & DnsWire.CheckingDisabled) != 0);

    /// <summary>The records of a name of ours as DNS64 has them: without IPv6 addresses that are passed over, and with others when none is left.</summary>
    public static NameRecord[] Translate(Dns64Spec spec, NameRecord[] records)
    {
        records = Array.FindAll(records, record => record.Type != NameRecordType.Aaaa || !IsExcluded(spec, record.Address));
        return Array.Exists(records, record => record.Type == NameRecordType.Aaaa) ? records
            :
            [
                .. records,
                .. records.Where(record => record.Type == NameRecordType.A && IsEmbedded(spec, record.Address)).Select(record => record with
                {
                    Type = NameRecordType.Aaaa,
                    Address = EmbeddedAddress.Embed(spec.Prefix, record.Address),
                    IsSynthesized = true,
                }),
            ];
    }

    /// <summary>The IPv4 address whose name is asked for by the name of an address behind the prefix (RFC 6147 5.3.1); null when it is another name.</summary>
    /// <param name="spec">The prefix.</param>
    /// <param name="name">The name on the wire.</param>
    public static IpAddress? ReversedAddress(Dns64Spec spec, ReadOnlySpan<byte> name)
    {
        if (name.Length != ReverseBytes || !System.Text.Ascii.EqualsIgnoreCase(name[(2 * ReverseDigits)..], "\u0003ip6\u0004arpa\0"u8))
        {
            return null;
        }

        UInt128 bits = 0;
        for (int i = ReverseDigits - 1; i >= 0; i--)
        {
            if (name[2 * i] != 1 || !char.IsAsciiHexDigit((char)name[(2 * i) + 1]))
            {
                return null;
            }

            bits = (bits << 4) | (uint)Convert.ToInt32(((char)name[(2 * i) + 1]).ToString(), 16);
        }

        IpAddress address = IpAddress.FromBits(IpFamily.V6, bits);
        return spec.Prefix.Contains(address) ? EmbeddedAddress.Extract(spec.Prefix, address) : null;
    }
}
