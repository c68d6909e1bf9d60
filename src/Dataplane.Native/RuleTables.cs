namespace Dataplane.Native;

/// <summary>
/// From packets to the first rule of each, without bounds checks: first the three classes of a packet, then what the rows of the three have in common.
/// </summary>
internal sealed unsafe class RuleTables
{
    private const int MaxPicks = 256;

    private readonly ClassTables _classes;
    private readonly BitRowTable _rows;

    /// <summary>Joins tables.</summary>
    /// <param name="classes">The classes of packets.</param>
    /// <param name="rows">A row for every class: of sources, destinations and services.</param>
    /// <exception cref="ArgumentException">A class has no row.</exception>
    public RuleTables(ClassTables classes, BitRowTable rows)
    {
        if (classes.Sources > rows.FirstRows || classes.Destinations > rows.SecondRows || classes.Services > rows.ThirdRows)
        {
            throw new ArgumentException(
                $"{classes.Sources}, {classes.Destinations} and {classes.Services} classes have {rows.FirstRows}, {rows.SecondRows} and {rows.ThirdRows} rows.",
                nameof(rows));
        }

        (_classes, _rows) = (classes, rows);
    }

    /// <summary>Bytes of the tables.</summary>
    public long SizeBytes => _classes.SizeBytes + _rows.SizeBytes;

    /// <summary>
    /// For each of some packets: the lowest of what stands in a table at the common bits of its rows. Where there are none, nothing is written.
    /// </summary>
    /// <param name="isV4">The family of the packets.</param>
    /// <param name="records">A record by packet, as the tables of classes take it.</param>
    /// <param name="words">A word by packet, as the tables of classes take it.</param>
    /// <param name="picks">Numbers of the packets to look at, 256 at most.</param>
    /// <param name="live">A row that is the same for all packets.</param>
    /// <param name="numbers">By bit, what to write; 0 or more where <paramref name="live"/> has a bit, and within each word ascending with the bits.</param>
    /// <param name="results">By packet, receives it.</param>
    /// <exception cref="ArgumentException">Lengths that do not go together.</exception>
    public void Find(bool isV4, ReadOnlySpan<byte> records, ReadOnlySpan<uint> words, ReadOnlySpan<byte> picks, ReadOnlySpan<ulong> live,
        ReadOnlySpan<int> numbers, Span<int> results)
    {
        int have = Math.Min(Math.Min(records.Length / _classes.RecordBytes, words.Length), results.Length);
        Check(live, numbers, picks.Length, Picks.Last(picks, have) < have && (isV4 || _classes.TakesV6));
        int* classes = stackalloc int[3 * MaxPicks];
        fixed (byte* record = records, pick = picks)
        fixed (uint* word = words)
        fixed (ulong* common = live)
        fixed (int* number = numbers, result = results)
        {
            _classes.Find(isV4, record, word, pick, picks.Length, classes, classes + MaxPicks, classes + (2 * MaxPicks));
            _rows.FindLowest(classes, classes + MaxPicks, classes + (2 * MaxPicks), common, number, pick, picks.Length, result);
        }
    }

    /// <summary>The same for all packets of a batch in fewer steps, where all are IPv4 and no rule asks for flags.</summary>
    /// <param name="records">As for <see cref="Find"/>.</param>
    /// <param name="port">What stands in bits 8 to 15 of the word of each.</param>
    /// <param name="live">As for <see cref="Find"/>.</param>
    /// <param name="numbers">As for <see cref="Find"/>.</param>
    /// <param name="results">As for <see cref="Find"/>; its length is the number of packets, 256 at most.</param>
    /// <returns>False when that is not so; then nothing is written.</returns>
    /// <exception cref="ArgumentException">Lengths that do not go together.</exception>
    public bool TryFindAll4(ReadOnlySpan<byte> records, byte port, ReadOnlySpan<ulong> live, ReadOnlySpan<int> numbers, Span<int> results)
    {
        int count = results.Length;
        Check(live, numbers, count, records.Length / _classes.RecordBytes >= count);
        int* classes = stackalloc int[3 * MaxPicks];
        byte* all = stackalloc byte[MaxPicks];
        for (int i = 0; i < MaxPicks; i += sizeof(ulong))
            *(ulong*)(all + i) = 0x0706_0504_0302_0100 + ((ulong)i * 0x0101_0101_0101_0101);
        fixed (byte* record = records)
        fixed (ulong* common = live)
        fixed (int* number = numbers, result = results)
        {
            if (!_classes.TryFindAll4(record, port, all, count, classes, classes + MaxPicks, classes + (2 * MaxPicks)))
                return false;
            _rows.FindLowest(classes, classes + MaxPicks, classes + (2 * MaxPicks), common, number, all, count, result);
        }

        return true;
    }

    private void Check(ReadOnlySpan<ulong> live, ReadOnlySpan<int> numbers, int count, bool areRecords)
    {
        if (!areRecords || count > MaxPicks || live.Length != _rows.Words || numbers.Length < 64 * _rows.Words)
        {
            throw new ArgumentException(
                $"{count} packets have too few records or results, or rows of {_rows.Words} words meet one of {live.Length} and {numbers.Length} numbers.",
                nameof(count));
        }
    }
}
