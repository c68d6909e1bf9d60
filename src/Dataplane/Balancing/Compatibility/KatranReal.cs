using System.Buffers.Binary;
using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Balancing.Compatibility;

/// <summary>A backend as Katran sees it.</summary>
/// <param name="Number">What the ring shows for it; Katran counts from 1.</param>
/// <param name="Weight">0 or more; 0: not in the ring.</param>
/// <param name="Hash">What stands for it in the permutation; <see cref="HashOf"/> unless the fleet's Katran is built with another.</param>
public readonly record struct KatranReal(int Number, int Weight, ulong Hash)
{
    /// <summary>The numbers that Linux gives the address families.</summary>
    private const ulong Inet = 2, Inet6 = 10;

    private const ulong SpookyConstant = 0xDEAD_BEEF_DEAD_BEEF, CityMultiplier = 0x9DDF_EA08_EB38_2D69;

    /// <summary>The hash that <c>folly::IPAddress::hash</c> gives an address, which is what Katran takes.</summary>
    /// <remarks>
    /// IPv4: FNV-1 with the bytes extended by their sign, as folly has always had it; IPv6: SpookyHash V2 (Jenkins, public domain). Both are
    /// brought together with the number of the family by CityHash's way from 128 to 64 bits. An IPv4-mapped address counts as IPv4.
    /// </remarks>
    /// <exception cref="ArgumentException">No address at all.</exception>
    public static ulong HashOf(IpAddress address)
    {
        if (address.IsNone)
        {
            throw new ArgumentException("A real needs an address; the default IpAddress has no family.", nameof(address));
        }

        if (address.IsIpv4 || address.IsIpv4Mapped)
        {
            return Combine(Inet, Fnv1((uint)address.Low));
        }

        (ulong first, ulong second) = Spooky(BinaryPrimitives.ReverseEndianness(address.High), BinaryPrimitives.ReverseEndianness(address.Low));
        return Combine(Inet6, Combine(first, second));
    }

    private static uint Fnv1(uint address)
    {
        uint hash = 2166136261;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            hash = (hash * 16777619) ^ (uint)(sbyte)(address >> shift);
        }

        return hash;
    }

    private static ulong Combine(ulong upper, ulong lower)
    {
        ulong a = (lower ^ upper) * CityMultiplier;
        a ^= a >> 47;
        ulong b = (upper ^ a) * CityMultiplier;
        return (b ^ (b >> 47)) * CityMultiplier;
    }

    /// <summary>SpookyHash V2 of exactly 16 bytes with seeds 0: its short form, one round of mixing and the end.</summary>
    private static (ulong First, ulong Second) Spooky(ulong low, ulong high)
    {
        ReadOnlySpan<byte> mix = [50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36];
        ReadOnlySpan<byte> end = [15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63];
        Span<ulong> lanes = [0, 0, SpookyConstant + low, SpookyConstant + high];
        for (int i = 0; i < mix.Length; i++)
        {
            int lane = (i + 2) & 3;
            lanes[lane] = BitOperations.RotateLeft(lanes[lane], mix[i]) + lanes[(lane + 1) & 3];
            lanes[(lane + 2) & 3] ^= lanes[lane];
        }

        lanes[2] += SpookyConstant;
        lanes[3] += SpookyConstant + (16UL << 56);
        for (int i = 0; i < end.Length; i++)
        {
            int lane = (i + 3) & 3, from = (i + 2) & 3;
            lanes[lane] ^= lanes[from];
            lanes[from] = BitOperations.RotateLeft(lanes[from], end[i]);
            lanes[lane] += lanes[from];
        }

        return (lanes[0], lanes[1]);
    }
}
