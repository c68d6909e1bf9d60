using Dataplane.Packets;

namespace Dataplane.Nat64;

/// <summary>IPv4 addresses inside IPv6 addresses (RFC 6052 2.2): behind a prefix of 32, 40, 48, 56, 64 or 96 bits, around the byte at bit 64, which is always zero.</summary>
internal static class EmbeddedAddress
{
    private const int V4Bits = 32, ZeroByteAt = 64, ByteBits = 8;

    /// <summary>The prefix that everybody knows (RFC 6052 2.1). Its sixteen-bit words add up to zero in one's complement, so checksums need no change for it.</summary>
    public static IpPrefix WellKnown { get; } = IpPrefix.Parse("64:ff9b::/96");

    /// <summary>What is said of a prefix that is none.</summary>
    public static string NoPrefix { get; } =
        "is no prefix that IPv4 addresses can be embedded behind: IPv6, 32, 40, 48, 56, 64 or 96 bits, no other bit set, and bits 64 to 71 zero (RFC 6052 2.2), such as " + WellKnown;

    /// <summary>Whether IPv4 addresses can be embedded behind a prefix.</summary>
    public static bool IsPrefix(IpPrefix prefix) => prefix.Family == IpFamily.V6 && prefix.Length is 32 or 40 or 48 or 56 or 64 or 96
        && !prefix.HasHostBits && (prefix.Length != 96 || prefix.Address.Low >> (64 - ByteBits) == 0);

    /// <summary>Embeds an IPv4 address; what lies behind it is zero.</summary>
    public static IpAddress Embed(IpPrefix prefix, IpAddress v4)
    {
        UInt128 bits = prefix.Address.Bits;
        int length = prefix.Length;
        if (length == 96)
        {
            return IpAddress.FromBits(IpFamily.V6, bits | (uint)v4.Low);
        }

        // The part before the zero byte, which the prefixes of 64 bits have nothing of, and the part behind it.
        int before = ZeroByteAt - length;
        ulong first = before == 0 ? 0 : v4.Low >> (V4Bits - before);
        ulong rest = before == V4Bits ? 0 : (v4.Low << (V4Bits + before)) >> ByteBits;
        return IpAddress.FromV6((ulong)(bits >> 64) | first, rest);
    }

    /// <summary>Takes the IPv4 address out of an address behind the prefix; what lies behind it is not looked at (RFC 6052 2.2: reserved).</summary>
    public static IpAddress Extract(IpPrefix prefix, IpAddress v6)
    {
        int length = prefix.Length;
        if (length == 96)
        {
            return IpAddress.FromV4((uint)v6.Low);
        }

        int before = ZeroByteAt - length;
        ulong first = before == 0 ? 0 : v6.High << (V4Bits - before);
        ulong rest = before == V4Bits ? 0 : (v6.Low << ByteBits) >> (V4Bits + before);
        return IpAddress.FromV4((uint)(first | rest));
    }

    /// <summary>Whether an IPv4 address may stand behind a prefix: behind the well-known one only those of the whole internet (RFC 6052 3.1), and behind none what no host has.</summary>
    public static bool MayEmbed(IpPrefix prefix, IpAddress v4) => !IsNobody((uint)v4.Low) && (prefix != WellKnown || IsGlobal((uint)v4.Low));

    /// <summary>Not this network, loopback, multicast or reserved (RFC 6890).</summary>
    private static bool IsNobody(uint address) => address >> 24 is 0 or 127 || address >= 0xE000_0000;

    /// <summary>Not of the blocks that the registry of special-purpose addresses calls not globally reachable (RFC 6890).</summary>
    private static bool IsGlobal(uint address) => address >> 24 != 10 && address >> 20 != 0xAC1 && address >> 16 is not (0xC0A8 or 0xA9FE) && address >> 22 != 0x191
        && address >> 8 is not (0xC00000 or 0xC00002 or 0xC63364 or 0xCB0071) && address >> 17 != 0x6309;
}
