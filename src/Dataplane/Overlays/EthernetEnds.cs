using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Dataplane.Overlays;

/// <summary>Both hardware addresses of a frame of 14 bytes or more, one load each.</summary>
internal static class EthernetEnds
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // A load and a shift.
    public static ulong Target(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt64BigEndian(frame) >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // A load and a mask.
    public static ulong Source(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt64BigEndian(frame[4..]) & 0xFFFF_FFFF_FFFF;
}
