using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Nat64;

/// <summary>Types, codes and pointers of ICMP errors in the other family (RFC 7915 4.2 and 5.2).</summary>
internal static class IcmpFamilies
{
    private const byte V4Unreachable = 3, V4TimeExceeded = 11, V4ParameterProblem = 12, V4FragmentationNeeded = 4;
    private const byte NextHeaderField = 6, None = 0xFF;

    /// <summary>Header fields of IPv6 by byte of the IPv4 header (RFC 7915 4.2, figure 3).</summary>
    private static ReadOnlySpan<byte> PointersToV6 => [0, 1, 4, 4, None, None, None, None, 7, 6, None, None, 8, 8, 8, 8, 24, 24, 24, 24];

    /// <summary>Header fields of IPv4 by byte of the IPv6 header (RFC 7915 5.2, figure 6), up to the addresses.</summary>
    private static ReadOnlySpan<byte> PointersToV4 => [0, 1, None, None, 2, 2, 9, 8];

    /// <summary>The largest packet that a link had when routers did not say what did not fit (RFC 1191 7).</summary>
    private static ReadOnlySpan<ushort> Plateaus => [65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

    /// <summary>The ICMPv6 error of an ICMPv4 error.</summary>
    /// <param name="message">The message, at least its header and 20 bytes of the packet it is about.</param>
    /// <param name="maxMtu">Longest IPv6 packet that the links here carry of what comes from that side.</param>
    /// <param name="error">What it becomes.</param>
    /// <returns>False when it says nothing to an IPv6 host, or is no error.</returns>
    public static bool TryToV6(ReadOnlySpan<byte> message, int maxMtu, out IcmpError error)
    {
        byte type = message[0], code = message[1];
        error = (type, code) switch
        {
            (V4Unreachable, 2) => new(Icmpv6Types.ParameterProblem, 1, NextHeaderField),
            (V4Unreachable, 3) => new(Icmpv6Types.DestinationUnreachable, 4, 0),
            (V4Unreachable, V4FragmentationNeeded) => new(Icmpv6Types.PacketTooBig, 0, (uint)MtuToV6(message, maxMtu)),
            (V4Unreachable, 0 or 1 or 5 or 6 or 7 or 8 or 11 or 12) => new(Icmpv6Types.DestinationUnreachable, 0, 0),
            (V4Unreachable, 9 or 10 or 13 or 15) => new(Icmpv6Types.DestinationUnreachable, 1, 0),
            (V4TimeExceeded, _) => new(Icmpv6Types.TimeExceeded, code, 0),
            (V4ParameterProblem, 0 or 2) when message[4] < PointersToV6.Length && PointersToV6[message[4]] != None =>
                new(Icmpv6Types.ParameterProblem, 0, PointersToV6[message[4]]),
            _ => default,
        };
        return error.Type != 0;
    }

    /// <summary>The ICMPv4 error of an ICMPv6 error.</summary>
    /// <param name="message">The message, at least its header.</param>
    /// <param name="maxMtu">Longest IPv4 packet that the links here carry of what comes from that side.</param>
    /// <param name="error">What it becomes.</param>
    /// <returns>False when it says nothing to an IPv4 host, or is no error.</returns>
    public static bool TryToV4(ReadOnlySpan<byte> message, int maxMtu, out IcmpError error)
    {
        byte type = message[0], code = message[1];
        uint rest = BinaryPrimitives.ReadUInt32BigEndian(message[4..]);
        error = (type, code) switch
        {
            (Icmpv6Types.DestinationUnreachable, 0 or 2 or 3) => new(V4Unreachable, 1, 0),
            (Icmpv6Types.DestinationUnreachable, 1) => new(V4Unreachable, 10, 0),
            (Icmpv6Types.DestinationUnreachable, 4) => new(V4Unreachable, 3, 0),
            (Icmpv6Types.PacketTooBig, _) => new(V4Unreachable, V4FragmentationNeeded, (uint)Math.Min(Math.Max((long)rest - (OtherFamily.V6Header - OtherFamily.V4Header), Plateaus[^1]), maxMtu)),
            (Icmpv6Types.TimeExceeded, _) => new(V4TimeExceeded, code, 0),
            (Icmpv6Types.ParameterProblem, 0) when PointerToV4(rest) is var pointer and not None => new(V4ParameterProblem, 0, (uint)pointer << 24),
            (Icmpv6Types.ParameterProblem, 1) => new(V4Unreachable, 2, 0),
            _ => default,
        };
        return error.Type != 0;
    }

    private static byte PointerToV4(uint pointer) => pointer < PointersToV4.Length ? PointersToV4[(int)pointer]
        : pointer < 24 ? (byte)12 : pointer < OtherFamily.V6Header ? (byte)16 : None;

    /// <summary>Twenty bytes more, but never less than every IPv6 link carries; of routers that do not say it, the next smaller of what links have.</summary>
    private static int MtuToV6(ReadOnlySpan<byte> message, int maxMtu)
    {
        int mtu = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        if (mtu == 0)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
            mtu = Plateaus[^1];
            foreach (ushort plateau in Plateaus)
            {
                if (plateau < length)
                {
                    mtu = plateau;
                    break;
                }
            }
        }

        return Math.Max(Math.Min(mtu + OtherFamily.V6Header - OtherFamily.V4Header, maxMtu), Configuration.SpecLimits.MinIpv6Mtu);
    }
}
