using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>
/// Three sets of rows of bits; what stands lowest of the bits that one row of each has in common with a fourth is found without bounds checks.
/// </summary>
/// <remarks>
/// Written by its maker before it is looked at, and immutable from then on. Up to 1024 bits are compared whole. Of longer rows an outline is compared
/// first, a cache line with a bit for each word that is not 0, and then only the words that all three outlines have (aggregated bit vectors; Baboescu and
/// Varghese, SIGCOMM 2001).
/// </remarks>
internal sealed unsafe class BitRowTable
{
    /// <summary>Bits in a row at most.</summary>
    public const int MaxBits = 64 * 8 * LineAligned.LineBytes;

    private const int LineWords = LineAligned.LineBytes / sizeof(ulong), MaxWholeWords = 2 * LineWords, MaxCandidates = 2048;

    // The rows, then the outlines. Rows of thousands of rules are spread over more pages than a processor remembers, unless these are large.
    private readonly MappedRegion _region;
    private readonly int _outlineCount;
    private readonly int _words;
    private readonly int _firstRows;
    private readonly int _secondRows;
    private readonly int _thirdRows;

    /// <summary>Makes rows without bits.</summary>
    /// <param name="bits">Bits in a row at least; made up to whole cache lines.</param>
    /// <param name="first">Rows of the first set.</param>
    /// <param name="second">Rows of the second set.</param>
    /// <param name="third">Rows of the third set.</param>
    public BitRowTable(int bits, int first, int second, int third)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, MaxBits);
        int lines = Math.Max(1, (bits + (8 * LineAligned.LineBytes) - 1) / (8 * LineAligned.LineBytes));
        _words = LineWords * (lines == 1 ? 1 : (lines + 1) & ~1);
        (_firstRows, _secondRows, _thirdRows) = (first, second, third);
        int rows = checked(first + second + third);
        _outlineCount = _words <= MaxWholeWords ? 0 : rows;
        _region = MappedRegion.Allocate(checked(sizeof(ulong) * ((rows * _words) + (_outlineCount * LineWords))));
    }

    /// <summary>Rows of the first set.</summary>
    internal int FirstRows => _firstRows;

    /// <summary>Rows of the second set.</summary>
    internal int SecondRows => _secondRows;

    /// <summary>Rows of the third set.</summary>
    internal int ThirdRows => _thirdRows;

    /// <summary>The first word of the first row.</summary>
    internal ulong* Bits => (ulong*)_region.Start;

    private ulong* Outlines => Bits + ((long)(_firstRows + _secondRows + _thirdRows) * _words);

    /// <summary>64-bit words in a row: 8, or a multiple of 16.</summary>
    public int Words => _words;

    /// <summary>Bytes of the rows.</summary>
    public long SizeBytes => _region.LengthBytes;

    /// <summary>A row of the first set.</summary>
    public Span<ulong> First(int row) => Row(row, 0, _firstRows);

    /// <summary>A row of the second set.</summary>
    public Span<ulong> Second(int row) => Row(row, _firstRows, _secondRows);

    /// <summary>A row of the third set.</summary>
    public Span<ulong> Third(int row) => Row(row, _firstRows + _secondRows, _thirdRows);

    /// <summary>Ends the writing.</summary>
    public void Seal()
    {
        for (int row = 0; row < _outlineCount; row++)
        {
            Span<ulong> outline = new(Outlines + ((long)row * LineWords), LineWords);
            ReadOnlySpan<ulong> words = new(Bits + ((long)row * _words), _words);
            for (int word = 0; word < words.Length; word++)
                outline[word / 64] |= words[word] != 0 ? 1UL << word : 0;
        }
    }

    /// <summary>For each of some threes of rows: the lowest of what stands in a table at their common bits. Where there are none, nothing is written.</summary>
    /// <remarks>The rows are not checked: <see cref="RuleTables"/> takes them from tables that have no others.</remarks>
    internal void FindLowest(int* first, int* second, int* third, ulong* live, int* number, byte* pick, int count, int* result)
    {
        if (_words <= MaxWholeWords)
            Whole(first, second, third, live, number, pick, count, result);
        else
            Outlined(first, second, third, live, number, pick, count, result);
        GC.KeepAlive(_region);
    }

    private void Whole(int* first, int* second, int* third, ulong* live, int* number, byte* pick, int count, int* result)
    {
        int words = _words;
        ulong* bits = Bits, seconds = bits + ((long)_firstRows * words), thirds = seconds + ((long)_secondRows * words);
        if (VectorWidth.Use512 && words == 2 * LineWords)
        {
            Vector512<ulong> live1 = Vector512.Load(live), live2 = Vector512.Load(live + LineWords);
            for (int i = 0; i < count; i++)
            {
                ulong* a = bits + ((long)first[i] * (2 * LineWords)), b = seconds + ((long)second[i] * (2 * LineWords)),
                    c = thirds + ((long)third[i] * (2 * LineWords));
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

    private void Outlined(int* first, int* second, int* third, ulong* live, int* number, byte* pick, int count, int* result)
    {
        ulong* both = stackalloc ulong[LineWords];
        Candidate* candidates = stackalloc Candidate[MaxCandidates];
        uint* lowest = stackalloc uint[1 << 8];
        for (int from = 0; from < count;)
        {
            int end = from;
            int found = Collect(first, second, third, ref end, count, both, candidates, lowest);
            Compare(candidates, found, live, number, lowest);
            for (; from < end; from++)
            {
                if ((int)lowest[from] >= 0)
                    result[pick[from]] = (int)lowest[from];
            }
        }
    }

    /// <summary>
    /// The words that the outlines of some threes of rows have in common. How many there are cannot be foretold, so nothing is waited for here.
    /// </summary>
    private int Collect(int* first, int* second, int* third, ref int next, int count, ulong* both, Candidate* candidates, uint* lowest)
    {
        int words = _words, found = 0;
        uint seconds = (uint)_firstRows * (uint)words, thirds = seconds + ((uint)_secondRows * (uint)words);
        ulong* bits = Bits, outlines = Outlines;
        {
            ulong* outlines2 = outlines + (_firstRows * LineWords), outlines3 = outlines2 + (_secondRows * LineWords);
            for (; next < count && found <= MaxCandidates - words; next++)
            {
                lowest[next] = uint.MaxValue;
                uint a = (uint)(first[next] * words), b = seconds + (uint)(second[next] * words), c = thirds + (uint)(third[next] * words);
                uint lanes = Common(outlines + (first[next] * LineWords), outlines2 + (second[next] * LineWords), outlines3 + (third[next] * LineWords), both);
                for (; lanes != 0; lanes &= lanes - 1)
                {
                    uint lane = (uint)BitOperations.TrailingZeroCount(lanes);
                    for (ulong left = both[lane]; left != 0; left &= left - 1)
                    {
                        uint word = (64 * lane) + (uint)BitOperations.TrailingZeroCount(left);
                        candidates[found++] = new Candidate(a + word, b + word, c + word, ((uint)next << 16) | word);
                        if (Sse.IsSupported)
                        {
                            Sse.Prefetch0(bits + a + word);
                            Sse.Prefetch0(bits + b + word);
                            Sse.Prefetch0(bits + c + word);
                        }
                    }
                }
            }
        }

        return found;
    }

    private void Compare(Candidate* candidates, int count, ulong* live, int* number, uint* lowest)
    {
        ulong* bits = Bits;
        {
            for (int i = 0; i < count; i++)
            {
                Candidate candidate = candidates[i];
                uint word = (ushort)candidate.PacketAndWord;
                ulong common = bits[candidate.First] & bits[candidate.Second] & bits[candidate.Third] & live[word];
                uint none = ~(uint)((long)(common | (0 - common)) >> 63);
                uint found = (uint)number[(64 * word) + (uint)(BitOperations.TrailingZeroCount(common) & 63)] | none;
                uint* own = lowest + (candidate.PacketAndWord >> 16);
                *own = Math.Min(*own, found);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Common(ulong* a, ulong* b, ulong* c, ulong* both)
    {
        if (VectorWidth.Use512)
        {
            Vector512<ulong> common = Vector512.Load(a) & Vector512.Load(b) & Vector512.Load(c);
            common.Store(both);
            return NonZero(common);
        }

        uint lanes = 0;
        for (int lane = 0; lane < LineWords; lane++)
        {
            both[lane] = a[lane] & b[lane] & c[lane];
            lanes |= both[lane] != 0 ? 1u << lane : 0;
        }

        return lanes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Lowest(ulong* a, ulong* b, ulong* c, ulong* d, int words)
    {
        int word = 0;
        if (VectorWidth.Use512)
        {
            if (words == LineWords)
                return Bit(a, b, c, d, 0, NonZero(Vector512.Load(a) & Vector512.Load(b) & Vector512.Load(c) & Vector512.Load(d)));

            for (; word < words; word += 2 * LineWords)
            {
                int next = word + LineWords;
                Vector512<ulong> low = Vector512.Load(a + word) & Vector512.Load(b + word) & Vector512.Load(c + word) & Vector512.Load(d + word);
                Vector512<ulong> high = Vector512.Load(a + next) & Vector512.Load(b + next) & Vector512.Load(c + next) & Vector512.Load(d + next);
                uint lanes = NonZero(low) | (NonZero(high) << LineWords);
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
        if (lanes == 0)
            return -1;
        word += BitOperations.TrailingZeroCount(lanes);
        return (64 * word) + BitOperations.TrailingZeroCount(a[word] & b[word] & c[word] & d[word]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint NonZero(Vector512<ulong> lanes) => (uint)(~Vector512.Equals(lanes, Vector512<ulong>.Zero).ExtractMostSignificantBits()) & 0xFF;

    private Span<ulong> Row(int row, int before, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)rows, nameof(row));
        return new Span<ulong>(Bits + ((long)(before + row) * _words), _words);
    }

    /// <summary>A word of three rows, by its place among all words.</summary>
    private readonly record struct Candidate(uint First, uint Second, uint Third, uint PacketAndWord);
}
