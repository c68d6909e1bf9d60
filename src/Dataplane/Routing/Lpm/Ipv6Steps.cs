namespace Dataplane.Routing.Lpm;

/// <summary>How an IPv6 address is cut into steps, one for each level of the tree: 16, 10 and 6 bits, then 16 each.</summary>
/// <remarks>The first three are what registries give out, up to /32: by index and mask. Holders cut theirs as they like, so the rest goes by comparing.</remarks>
internal static class Ipv6Steps
{
    /// <summary>Levels.</summary>
    public const int Count = 9;

    /// <summary>The level of directories; the root is 0, and both are changed in place.</summary>
    public const int Directory = 1;

    /// <summary>The level of nodes.</summary>
    public const int Node = 2;

    /// <summary>Bits of a level's step.</summary>
    public static int BitsOf(int level) => level switch { Directory => 10, Node => 6, _ => 16 };

    /// <summary>Bits of the steps above a level.</summary>
    public static int BitsAbove(int level) => level switch { 0 => 0, 1 => 16, 2 => 26, _ => (level - 1) * 16 };

    /// <summary>The level in whose step a prefix of this length ends.</summary>
    public static int LevelOf(int length) => length switch { <= 16 => 0, <= 26 => 1, <= 32 => 2, _ => (length + 15) / 16 };

    /// <summary>The bits of an address that are a level's.</summary>
    public static ushort CellOf(UInt128 address, int level)
    {
        ulong half = (ulong)(level < 5 ? address >> 64 : address);
        int bits = BitsOf(level), end = (BitsAbove(level) + bits) & 63;
        return (ushort)((half >> ((64 - end) & 63)) & ((1u << bits) - 1));
    }
}
