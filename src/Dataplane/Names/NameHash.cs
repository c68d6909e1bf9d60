using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>Hash of a name on the wire, whatever the case of its letters; the result does not depend on what lies behind the name.</summary>
/// <remarks>Keyed per table: whoever registers names cannot make them collide. Eight bytes a step, one multiplication each.</remarks>
internal static class NameHash
{
    /// <summary>Bytes that must be readable behind a name's end.</summary>
    public const int TailBytes = 8;

    /// <summary>Copies a name in lower case behind which there are zeros, so that it can be hashed and compared by words.</summary>
    /// <param name="name">1 to 255 bytes.</param>
    /// <param name="target">At least 8 bytes more than the name.</param>
    public static void Lower(ReadOnlySpan<byte> name, Span<byte> target)
    {
        // Lengths of labels are below 64 and no letters ('A' is 65): the whole name can be treated as text.
        BinaryPrimitives.WriteUInt64LittleEndian(target[name.Length..], 0);
        name.CopyTo(target);
        for (int at = 0; at < name.Length; at += 8)
        {
            Span<byte> word = target.Slice(at, 8);
            BinaryPrimitives.WriteUInt64LittleEndian(word, Lower(BinaryPrimitives.ReadUInt64LittleEndian(word)));
        }
    }

    /// <summary>Hash of a name made by <see cref="Lower(ReadOnlySpan{byte}, Span{byte})"/>, or of its end.</summary>
    public static ulong Of(ReadOnlySpan<byte> lowered, ulong key)
    {
        ulong hash = key ^ (uint)lowered.Length;
        while (lowered.Length >= 8)
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(lowered));
            lowered = lowered[8..];
        }

        ulong tail = 0;
        for (int i = 0; i < lowered.Length; i++)
        {
            tail |= (ulong)lowered[i] << (8 * i);
        }

        return Mix(hash ^ tail ^ (key << 1));
    }

    /// <summary>Puts bit 5 into the bytes from 'A' to 'Z'; all bytes are below 128 there (Hacker's Delight 2-18), others stay as they are.</summary>
    private static ulong Lower(ulong word)
    {
        const ulong High = 0x8080_8080_8080_8080, Ones = 0x0101_0101_0101_0101;
        ulong low = word & ~High;
        ulong notBelowA = low + (Ones * (128 - 'A')), aboveZ = low + (Ones * (127 - 'Z'));
        return word | ((notBelowA & ~aboveZ & ~word & High) >> 2);
    }

    private static ulong Mix(ulong value)
    {
        ulong high = Math.BigMul(value, 0x9E3779B97F4A7C15, out ulong low);
        return high ^ low;
    }
}
