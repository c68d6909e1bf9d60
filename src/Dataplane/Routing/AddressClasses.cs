using System.Runtime.CompilerServices;

namespace Dataplane.Routing;

/// <summary>What addresses may not be, by their first bits alone (RFC 1812 5.3.7, RFC 6890, RFC 4291).</summary>
internal static class AddressClasses
{
    /// <summary>True for a source that cannot have sent anything across a link: 0/8, 127/8, 224/4 and 240/4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Two compares per packet.
    public static bool IsMartianSourceV4(uint address) => address >= 0xE000_0000 || address >> 24 is 0 or 127;

    /// <summary>True for a destination no packet may have: 0/8, 127/8, 240/4 but not 255.255.255.255.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsMartianDestinationV4(uint address) => (address >= 0xF000_0000 && address != uint.MaxValue) || address >> 24 is 0 or 127;

    /// <summary>True for an address that is neither martian nor multicast nor broadcast; what most packets have on both sides.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsUnicastV4(uint address) => address - 0x0100_0000 < 0xDF00_0000 && address >> 24 != 127;

    /// <summary>True for an address that is certainly neither martian nor multicast; ::/64 is left to the exact tests.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsUnicastV6(ulong high) => high - 1 < 0xFF00_0000_0000_0000 - 1;

    /// <summary>224/4.</summary>
    public static bool IsMulticastV4(uint address) => address >> 28 == 0xE;

    /// <summary>169.254/16, which routers do not forward (RFC 3927 2.7).</summary>
    public static bool IsLinkLocalV4(uint address) => address >> 16 == 0xA9FE;

    /// <summary>::, ::1, IPv4-mapped, or multicast.</summary>
    public static bool IsMartianSourceV6(ulong high, ulong low) => high >> 56 == 0xFF || IsNeverOnWire(high, low);

    /// <summary>::, ::1 or IPv4-mapped.</summary>
    public static bool IsNeverOnWire(ulong high, ulong low) => high == 0 && (low <= 1 || low >> 32 == 0xFFFF);

    /// <summary>ff00::/8.</summary>
    public static bool IsMulticastV6(ulong high) => high >> 56 == 0xFF;

    /// <summary>fe80::/10, which never leaves its link (RFC 4007).</summary>
    public static bool IsLinkLocalV6(ulong high) => high >> 54 == 0x3FA;
}
