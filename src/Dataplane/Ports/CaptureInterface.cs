namespace Dataplane.Ports;

/// <summary>What a capture file says about the interface of a frame: its link type, its clock and what its frames end with.</summary>
internal struct CaptureInterface
{
    /// <summary>The link type, see https://www.tcpdump.org/linktypes.html.</summary>
    internal int LinkType;

    /// <summary>The most bytes captured of a frame (pcapng); 0 for no limit.</summary>
    internal uint SnapLength;

    /// <summary>Bytes of the FCS at the end of every frame.</summary>
    internal int FcsBytes;

    /// <summary>Resolution: units of 10^-value seconds, or of 2^-value where <see cref="IsBinary"/>.</summary>
    internal int Exponent;

    /// <summary>Whether the unit is a power of two of a second.</summary>
    internal bool IsBinary;

    /// <summary>Seconds to be added to all times (pcapng).</summary>
    internal long OffsetSeconds;

    private const int NsExponent = 9;
    private const ulong NsPerSecond = 1_000_000_000;

    /// <summary>The defaults of pcapng: microseconds, no FCS.</summary>
    internal static CaptureInterface Of(int linkType) => new() { LinkType = linkType, Exponent = 6 };

    /// <summary>The time in nanoseconds since 1970; what lies outside of 0 to 2^63 - 2 becomes the nearer of the two.</summary>
    internal readonly long ToNs(ulong units)
    {
        UInt128 ns;
        if (IsBinary)
            ns = (UInt128)units * NsPerSecond >> Exponent;
        else if (Exponent <= NsExponent)
            ns = (UInt128)units * PowerOfTen(NsExponent - Exponent);
        else
            ns = Exponent - NsExponent > 19 ? 0 : units / PowerOfTen(Exponent - NsExponent);
        Int128 sum = (Int128)ns + ((Int128)OffsetSeconds * NsPerSecond);
        return (long)Int128.Clamp(sum, 0, long.MaxValue - 1);
    }

    private static ulong PowerOfTen(int exponent)
    {
        ulong power = 1;
        for (; exponent > 0; exponent--)
            power *= 10;
        return power;
    }
}
