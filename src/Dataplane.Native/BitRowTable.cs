using System.Numerics;

namespace Dataplane.Native;

/// <summary>Three sets of rows of bits; the lowest of what stands at the bits that one row of each has in common with a fourth is found without bounds checks.</summary>
/// <remarks>
/// Rows are written, then sealed, and never change from then on. Up to 1024 bits are compared whole. A longer row is kept as the numbers of its lines of 512 bits,
/// and equal lines are kept once: rows of thousands are mostly alike, and what differs has to stay in the cache. Of such rows a few lines are compared:
/// one that goes with the first row, one that goes with the second, and those at the end.
/// </remarks>
internal sealed unsafe partial class BitRowTable
{
    private const int LineWords = LineAligned.LineBytes / sizeof(ulong), MaxWholeWords = 2 * LineWords;

    private readonly int _words;
    private readonly int _firstRows;
    private readonly int _secondRows;
    private readonly int _thirdRows;

    // Whole rows; of long ones only until they are sealed.
    private readonly MappedRegion _rows;

    // Of long rows: the different lines, by row the numbers of its lines, and which of them are compared.
    private MappedRegion? _lines;
    private MappedRegion? _numbers;
    private int[] _homes1 = [];
    private int[] _homes2 = [];
    private int _firstCommon;

    /// <summary>Makes rows without bits.</summary>
    /// <param name="bits">Bits in a row at least; made up to whole cache lines.</param>
    /// <param name="first">Rows of the first set.</param>
    /// <param name="second">Rows of the second set.</param>
    /// <param name="third">Rows of the third set.</param>
    public BitRowTable(int bits, int first, int second, int third)
    {
        int lines = Math.Max(1, (bits + (8 * LineAligned.LineBytes) - 1) / (8 * LineAligned.LineBytes));
        _words = LineWords * lines;
        (_firstRows, _secondRows, _thirdRows) = (first, second, third);
        _rows = MappedRegion.Allocate(checked(sizeof(ulong) * Rows * _words));
    }

    /// <summary>64-bit words in a row, a multiple of 8.</summary>
    public int Words => _words;

    /// <summary>Bytes of what lookups read.</summary>
    public long SizeBytes => IsLong ? (long)_lines!.LengthBytes + _numbers!.LengthBytes + (sizeof(int) * (_homes1.Length + _homes2.Length)) : _rows.LengthBytes;

    /// <summary>Rows of the first set.</summary>
    internal int FirstRows => _firstRows;

    /// <summary>Rows of the second set.</summary>
    internal int SecondRows => _secondRows;

    /// <summary>Rows of the third set.</summary>
    internal int ThirdRows => _thirdRows;

    private int Rows => checked(_firstRows + _secondRows + _thirdRows);

    private int Lines => _words / LineWords;

    private bool IsLong => _words > MaxWholeWords;

    /// <summary>A row of the first set, to be written.</summary>
    public Span<ulong> First(int row) => Row(row, 0, _firstRows);

    /// <summary>A row of the second set, to be written.</summary>
    public Span<ulong> Second(int row) => Row(row, _firstRows, _secondRows);

    /// <summary>A row of the third set, to be written.</summary>
    public Span<ulong> Third(int row) => Row(row, _firstRows + _secondRows, _thirdRows);

    /// <summary>Ends the writing.</summary>
    /// <param name="homes1">By row of the first set, a line that is compared when the row is.</param>
    /// <param name="homes2">By row of the second set, likewise.</param>
    /// <param name="firstCommon">This line and those behind are always compared.</param>
    /// <exception cref="ArgumentException">A row without a line, or a line that is not there.</exception>
    public void Seal(int[] homes1, int[] homes2, int firstCommon)
    {
        if (!IsLong)
            return;
        int rows = Rows, lines = Lines;
        if (homes1.Length != _firstRows || homes2.Length != _secondRows || Math.Max(homes1.Max(), homes2.Max()) >= lines
            || Math.Min(Math.Min(homes1.Min(), homes2.Min()), firstCommon) < 0)
        {
            throw new ArgumentException($"Of {lines} lines, one is needed for each of {_firstRows} and {_secondRows} rows.", nameof(homes1));
        }

        (_homes1, _homes2, _firstCommon) = (homes1, homes2, firstCommon);
        _numbers = MappedRegion.Allocate(rows * lines * sizeof(uint));
        var different = new LineSet();
        for (int row = 0; row < rows; row++)
        {
            ulong* words = (ulong*)_rows.Start + ((long)row * _words);
            uint* numbers = (uint*)_numbers.Start + ((long)row * lines);
            for (int line = 0; line < lines; line++)
                numbers[line] = different.Add(new ReadOnlySpan<ulong>(words + (line * LineWords), LineWords));
        }

        _lines = MappedRegion.Allocate(different.Words.Length * sizeof(ulong));
        different.Words.CopyTo(new Span<ulong>(_lines.Start, different.Words.Length));
        _rows.Dispose();
    }

    /// <summary>The bits that a row of each set have in common in one word. Of sealed rows; not for the fast path.</summary>
    public ulong Common(int first, int second, int third, int word)
    {
        ulong common = Word(first, 0, _firstRows, word) & Word(second, _firstRows, _secondRows, word) & Word(third, _firstRows + _secondRows, _thirdRows, word);
        GC.KeepAlive(this);
        return common;
    }

    private ulong Word(int row, int before, int rows, int word)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)rows, nameof(row));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)word, (uint)_words, nameof(word));
        long at = before + row;
        return IsLong
            ? ((ulong*)_lines!.Start)[((long)((uint*)_numbers!.Start)[(at * Lines) + (word / LineWords)] * LineWords) + (word % LineWords)]
            : ((ulong*)_rows.Start)[(at * _words) + word];
    }

    private Span<ulong> Row(int row, int before, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)rows, nameof(row));
        return new Span<ulong>((ulong*)_rows.Start + ((long)(before + row) * _words), _words);
    }

    /// <summary>Lines of 512 bits, each once, the first without bits.</summary>
    private sealed class LineSet
    {
        private ulong[] _words = new ulong[LineWords << 10];
        private uint[] _buckets = new uint[4 << 10];
        private uint _count;

        public LineSet() => Add(stackalloc ulong[LineWords]);

        public ReadOnlySpan<ulong> Words => _words.AsSpan(0, (int)_count * LineWords);

        public uint Add(ReadOnlySpan<ulong> line)
        {
            // Buckets hold numbers from 1 on, so that 0 is an empty one.
            uint bucket = Bucket(line);
            for (; _buckets[bucket] != 0; bucket = (bucket + 1) & (uint)(_buckets.Length - 1))
            {
                uint number = _buckets[bucket] - 1;
                if (Words.Slice((int)number * LineWords, LineWords).SequenceEqual(line))
                    return number;
            }

            if (_count * LineWords == (uint)_words.Length)
            {
                Grow();
                return Add(line);
            }

            line.CopyTo(_words.AsSpan((int)_count * LineWords));
            _buckets[bucket] = ++_count;
            return _count - 1;
        }

        private void Grow()
        {
            Array.Resize(ref _words, 2 * _words.Length);
            _buckets = new uint[2 * _buckets.Length];
            for (uint number = 0; number < _count; number++)
            {
                uint bucket = Bucket(Words.Slice((int)number * LineWords, LineWords));
                while (_buckets[bucket] != 0)
                    bucket = (bucket + 1) & (uint)(_buckets.Length - 1);
                _buckets[bucket] = number + 1;
            }
        }

        private uint Bucket(ReadOnlySpan<ulong> line)
        {
            ulong hash = 0;
            foreach (ulong word in line)
                hash = (BitOperations.RotateLeft(hash, 23) ^ word) * 0xD6E8_FEB8_6659_FD93;
            return (uint)(hash >> 32) & (uint)(_buckets.Length - 1);
        }
    }
}
