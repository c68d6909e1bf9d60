using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

internal sealed unsafe partial class BitRowTable
{
    /// <summary>For each of some threes of rows: the lowest of what stands in a table at their common bits. Where there are none, nothing is written.</summary>
    /// <remarks>The rows are not checked: <see cref="RuleTables"/> takes them from tables that have no others.</remarks>
    internal void FindLowest(int* first, int* second, int* third, ulong* live, int* number, byte* pick, int count, int* result)
    {
        if (!IsLong)
        {
            Whole(first, second, third, live, number, pick, count, result);
        }
        else
        {
            uint* lowest = stackalloc uint[1 << 8];
            Place* places = stackalloc Place[1 << 8];
            ulong* both = stackalloc ulong[LineWords];
            new Span<uint>(lowest, count).Fill(uint.MaxValue);
            fixed (int* homes1 = _homes1, homes2 = _homes2)
            {
                CompareLines(first, second, third, homes1, first, 0, live, number, count, lowest, places, both);
                CompareLines(first, second, third, homes2, second, 0, live, number, count, lowest, places, both);
            }

            for (int line = _firstCommon; line < Lines; line++)
                CompareLines(first, second, third, null, null, line, live, number, count, lowest, places, both);
            Write(lowest, pick, count, result);
        }

        GC.KeepAlive(this);
    }

    private void Whole(int* first, int* second, int* third, ulong* live, int* number, byte* pick, int count, int* result)
    {
        int words = _words;
        ulong* bits = (ulong*)_rows.Start, seconds = bits + ((long)_firstRows * words), thirds = seconds + ((long)_secondRows * words);
        if (VectorWidth.Use512 && words == 2 * LineWords)
        {
            Vector512<ulong> live1 = Vector512.Load(live), live2 = Vector512.Load(live + LineWords);
            for (int i = 0; i < count; i++)
            {
                ulong* a = bits + ((long)first[i] * (2 * LineWords)), b = seconds + ((long)second[i] * (2 * LineWords));
                ulong* c = thirds + ((long)third[i] * (2 * LineWords));
                Vector512<ulong> low = Vector512.Load(a) & Vector512.Load(b) & Vector512.Load(c) & live1;
                Vector512<ulong> high = Vector512.Load(a + LineWords) & Vector512.Load(b + LineWords) & Vector512.Load(c + LineWords) & live2;
                uint lanes = NonZero(low) | (NonZero(high) << LineWords);
                if (lanes != 0)
                {
                    int word = BitOperations.TrailingZeroCount(lanes);
                    result[pick[i]] = number[(64 * word) + BitOperations.TrailingZeroCount(a[word] & b[word] & c[word] & live[word])];
                }
            }

            return;
        }

        for (int i = 0; i < count; i++)
        {
            int bit = Lowest(bits + ((long)first[i] * words), seconds + ((long)second[i] * words), thirds + ((long)third[i] * words), live, words);
            if (bit >= 0)
                result[pick[i]] = number[bit];
        }
    }

    private static void Write(uint* lowest, byte* pick, int count, int* result)
    {
        for (int i = 0; i < count; i++)
        {
            if ((int)lowest[i] >= 0)
                result[pick[i]] = (int)lowest[i];
        }
    }

    /// <summary>
    /// Compares one line of each three of rows, in three passes, each of which asks for the memory of the next: where the numbers of the lines stand; where the lines
    /// stand; their bits. None waits for memory, and none has a branch.
    /// </summary>
    private void CompareLines(int* first, int* second, int* third, int* homes, int* byRow, int line, ulong* live, int* number, int count,
        uint* lowest, Place* places, ulong* both)
    {
        int lines = Lines;
        uint* rows1 = (uint*)_numbers!.Start, rows2 = rows1 + ((long)_firstRows * lines), rows3 = rows2 + ((long)_secondRows * lines);
        ulong* content = (ulong*)_lines!.Start;
        for (int i = 0; i < count; i++)
        {
            int own = homes != null ? homes[byRow[i]] : line;
            Place place = new((uint)((first[i] * lines) + own), (uint)((second[i] * lines) + own), (uint)((third[i] * lines) + own), (uint)own);
            places[i] = place;
            Ask(rows1 + place.First, rows2 + place.Second, rows3 + place.Third);
        }

        for (int i = 0; i < count; i++)
        {
            Place place = places[i];
            place = new(rows1[place.First] * LineWords, rows2[place.Second] * LineWords, rows3[place.Third] * LineWords, place.Line);
            places[i] = place;
            Ask(content + place.First, content + place.Second, content + place.Third);
        }

        for (int i = 0; i < count; i++)
        {
            Place place = places[i];
            uint found = LowestIn(content + place.First, content + place.Second, content + place.Third, live + (place.Line * LineWords), both);
            uint known = (uint)number[(place.Line * 512) + (found & 511)] | (uint)((int)found >> 31);
            lowest[i] = Lower(lowest[i], known);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(void* a, void* b, void* c)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(a);
            Sse.Prefetch0(b);
            Sse.Prefetch0(c);
        }
    }

    /// <summary>The lowest bit that four lines have in common; above all numbers of bits when there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint LowestIn(ulong* a, ulong* b, ulong* c, ulong* d, ulong* both)
    {
        uint lanes = 0;
        if (VectorWidth.Use512)
        {
            Vector512<ulong> common = Vector512.Load(a) & Vector512.Load(b) & Vector512.Load(c) & Vector512.Load(d);
            common.Store(both);
            lanes = NonZero(common);
        }
        else
        {
            for (int lane = 0; lane < LineWords; lane++)
            {
                both[lane] = a[lane] & b[lane] & c[lane] & d[lane];
                lanes |= both[lane] != 0 ? 1u << lane : 0;
            }
        }

        uint at = (uint)BitOperations.TrailingZeroCount(lanes);
        return (~(lanes | (0 - lanes)) & 0x8000_0000) | (64 * (at % LineWords)) | ((uint)BitOperations.TrailingZeroCount(both[at % LineWords]) % 64);
    }

    /// <summary>The lower of two numbers by calculation: the compiler makes a branch of Math.Min, and which is lower cannot be foretold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Lower(uint a, uint b)
    {
        long more = (long)b - a;
        return a + (uint)(more & (more >> 63));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Lowest(ulong* a, ulong* b, ulong* c, ulong* d, int words)
    {
        int word = 0;
        if (VectorWidth.Use512)
        {
            for (; word < words; word += LineWords)
            {
                uint lanes = NonZero(Vector512.Load(a + word) & Vector512.Load(b + word) & Vector512.Load(c + word) & Vector512.Load(d + word));
                if (lanes != 0)
                    return Bit(a, b, c, d, word, lanes);
            }

            return -1;
        }

        if (VectorWidth.Use256)
        {
            for (; word < words; word += Vector256<ulong>.Count)
            {
                Vector256<ulong> some = Vector256.Load(a + word) & Vector256.Load(b + word) & Vector256.Load(c + word) & Vector256.Load(d + word);
                if (some != Vector256<ulong>.Zero)
                    return Bit(a, b, c, d, word, ~Vector256.Equals(some, Vector256<ulong>.Zero).ExtractMostSignificantBits());
            }

            return -1;
        }

        while (word < words && (a[word] & b[word] & c[word] & d[word]) == 0)
            word++;
        return word < words ? Bit(a, b, c, d, word, 1) : -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Bit(ulong* a, ulong* b, ulong* c, ulong* d, int word, uint lanes)
    {
        word += BitOperations.TrailingZeroCount(lanes);
        return (64 * word) + BitOperations.TrailingZeroCount(a[word] & b[word] & c[word] & d[word]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint NonZero(Vector512<ulong> lanes) =>
        (uint)~Vector512.Equals(lanes, Vector512<ulong>.Zero).ExtractMostSignificantBits() & 0xFF;

    /// <summary>A line of three rows: where its numbers stand, later the first word of the lines themselves; and which line it is.</summary>
    private readonly record struct Place(uint First, uint Second, uint Third, uint Line);
}
