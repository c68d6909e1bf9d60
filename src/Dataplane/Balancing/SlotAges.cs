using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Balancing;

/// <summary>For every slot of a table, how many changes ago it changed its member; one byte each, 255 for that long or longer.</summary>
internal static class SlotAges
{
    /// <summary>All that a byte tells: as old, or older.</summary>
    public const byte Oldest = byte.MaxValue;

    /// <summary>The ages after a change.</summary>
    /// <param name="ages">Those before; empty for a table that has not been changed.</param>
    /// <param name="size">Slots of the table.</param>
    /// <param name="moved">The slots that have another member.</param>
    public static byte[] Next(byte[] ages, int size, ReadOnlySpan<int> moved)
    {
        byte[] next = GC.AllocateUninitializedArray<byte>(size);
        if (ages.Length == 0)
        {
            next.AsSpan().Fill(1);
        }
        else
        {
            Age(ages, next);
        }

        foreach (int slot in moved)
        {
            next[slot] = 0;
        }

        return next;
    }

    private static void Age(byte[] ages, byte[] next)
    {
        ReadOnlySpan<Vector512<byte>> source = MemoryMarshal.Cast<byte, Vector512<byte>>(ages);
        Span<Vector512<byte>> target = MemoryMarshal.Cast<byte, Vector512<byte>>(next.AsSpan());
        Vector512<byte> almost = Vector512.Create((byte)(Oldest - 1));
        for (int i = 0; i < source.Length; i++)
        {
            target[i] = Vector512.Min(source[i], almost) + Vector512<byte>.One;
        }

        for (int slot = source.Length * Vector512<byte>.Count; slot < ages.Length; slot++)
        {
            next[slot] = (byte)(Math.Min(ages[slot], (byte)(Oldest - 1)) + 1);
        }
    }
}
