using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Flows;

/// <summary>Where flow entries are found by their hash: buckets of one cache line, two for each entry to stand in.</summary>
/// <remarks>
/// <para>A line holds eight 16-bit tags, compared with one vector instruction, eight entry indices, which of these are away from their first
/// bucket, how many entries of this bucket are in their other, and a filter of 64 bits that tells which. An entry goes to its first bucket unless that
/// is full; so a hit nearly always costs one line here, and a miss too (F14, Bronson and Shi 2019; Cuckoo++, Le Scouarnec 2018).</para>
/// <para>When both are full, entries are moved to their other buckets to make room (cuckoo hashing, Pagh and Rodler 2001): 90 % of the places can
/// be used. The other bucket is found from either bucket and the tag alone (partial-key cuckoo hashing, Fan et al. 2014). Used by one thread.</para>
/// </remarks>
internal sealed class FlowBuckets
{
    /// <summary>Entries a bucket holds.</summary>
    public const int Ways = 8;

    /// <summary>In place of an index: there is no such entry.</summary>
    public const int None = -1;

    /// <summary>In place of an index: look into the other bucket.</summary>
    public const int Away = -2;

    /// <summary>Entries <see cref="List"/> can find: two full buckets.</summary>
    public const int MostListed = 2 * Ways;

    /// <summary>Buckets looked at to make room for an entry: three moves deep and more.</summary>
    private const int MaxSearched = 600;

    private const int LineInts = 16, IndicesAt = 4, OverflowAt = 12, AwayAt = 13, FilterAt = 14;

    private readonly MappedArray<Line> _lines;
    private readonly uint _mask;
    private readonly (uint Bucket, int Parent, int Way)[] _search = new (uint, int, int)[MaxSearched];

    /// <summary>Makes empty buckets.</summary>
    /// <param name="buckets">A power of two, 2 or more.</param>
    public FlowBuckets(int buckets)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(buckets, 2);
        _lines = new MappedArray<Line>(buckets);
        _mask = (uint)buckets - 1;
    }

    /// <summary>Places in all buckets.</summary>
    public long Places => (_mask + 1L) * Ways;

    /// <summary>Bytes of all buckets.</summary>
    public long MemoryBytes => _lines.LengthBytes;

    /// <summary>The first entry in the first bucket of a hash whose tag is that of the hash; keys are still to be compared.</summary>
    /// <returns>An index; <see cref="None"/> where no entry can have the hash; <see cref="Away"/> where one may be in the other bucket, which is asked for.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public int Candidate(uint hash)
    {
        Span<int> line = LineOf(hash & _mask);
        ushort tag = TagOf(hash);
        uint matches = Matches(line, tag);
        return matches != 0 ? line[IndicesAt + FirstOf(matches)] : !MayBeAway(line, tag) ? None : AskForOther(hash);
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // Few packets come here; inlined, it would take registers from their loop.
    private int AskForOther(uint hash)
    {
        _lines.Prefetch((int)OtherOf(hash & _mask, TagOf(hash)));
        return Away;
    }

    /// <summary>What <see cref="Candidate"/> says of the other bucket.</summary>
    public int CandidateInOther(uint hash)
    {
        ushort tag = TagOf(hash);
        ReadOnlySpan<int> line = LineOf(OtherOf(hash & _mask, tag));
        uint matches = Matches(line, tag);
        return matches == 0 ? None : line[IndicesAt + FirstOf(matches)];
    }

    /// <summary>The next entry behind <paramref name="after"/> that may have a hash.</summary>
    /// <param name="hash">The hash.</param>
    /// <param name="after">An index this method or <see cref="Candidate"/> has returned for the hash; -1 for the first.</param>
    /// <returns>An index, or -1 when there is none.</returns>
    public int Next(uint hash, int after)
    {
        ushort tag = TagOf(hash);
        bool passed = after < 0;
        uint bucket = hash & _mask;
        for (int side = 0; side < 2; side++, bucket = OtherOf(bucket, tag))
        {
            ReadOnlySpan<int> line = LineOf(bucket);
            for (uint matches = Matches(line, tag); matches != 0; matches &= matches - 1)
            {
                int index = line[IndicesAt + FirstOf(matches)];
                if (passed)
                {
                    return index;
                }

                passed = index == after;
            }

            if (!MayBeAway(line, tag))
            {
                break;
            }
        }

        return -1;
    }

    /// <summary>Asks the processor for the lines that <see cref="Candidate"/> will read.</summary>
    public void Prefetch(ReadOnlySpan<ParsedFrame> packets)
    {
        foreach (ref readonly ParsedFrame packet in packets)
        {
            _lines.Prefetch((int)(packet.Hash & _mask));
        }
    }

    /// <summary>Adds an entry.</summary>
    /// <returns>False when both its buckets are full, and no entry near them can be moved.</returns>
    public bool Add(uint hash, int index)
    {
        ushort tag = TagOf(hash);
        uint first = hash & _mask, other = OtherOf(first, tag);
        return TryPut(first, tag, index, away: false) || TryPut(other, tag, index, away: true)
            || (TryMakeRoom(first, other) && (TryPut(first, tag, index, away: false) || TryPut(other, tag, index, away: true)));
    }

    /// <summary>Takes an entry out.</summary>
    public void Remove(uint hash, int index)
    {
        ushort tag = TagOf(hash);
        uint first = hash & _mask;
        if (!TryTake(first, tag, index))
        {
            TryTake(OtherOf(first, tag), tag, index);
        }
    }

    /// <summary>Lists the entries in the two buckets of a hash.</summary>
    /// <param name="hash">The hash.</param>
    /// <param name="entries">Room for <see cref="MostListed"/>.</param>
    /// <returns>How many there are.</returns>
    public int List(uint hash, Span<int> entries)
    {
        uint bucket = hash & _mask;
        int count = 0;
        for (int side = 0; side < 2; side++, bucket = OtherOf(bucket, TagOf(hash)))
        {
            ReadOnlySpan<int> line = LineOf(bucket);
            for (uint used = ~Matches(line, 0) & 0xFF; used != 0; used &= used - 1)
            {
                entries[count++] = line[IndicesAt + BitOperations.TrailingZeroCount(used)];
            }
        }

        return count;
    }

    /// <summary>False when no entry with this tag has left the bucket: one bit of 64 for each that has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool MayBeAway(ReadOnlySpan<int> line, ushort tag)
    {
        int bit = BitOf(tag);
        return (line[FilterAt + (bit >> 5)] >> (bit & 31) & 1) != 0;
    }

    private static int BitOf(ushort tag) => (ushort)(tag * 40503) >> 10;

    /// <summary>Puts an entry into a bucket; away from its first, it is counted there.</summary>
    private bool TryPut(uint bucket, ushort tag, int index, bool away)
    {
        Span<int> line = LineOf(bucket);
        uint free = Matches(line, 0);
        if (free == 0)
        {
            return false;
        }

        int way = BitOperations.TrailingZeroCount(free);
        line[IndicesAt + way] = index;
        SetTag(line, way, tag);
        if (away)
        {
            line[AwayAt] |= 1 << way;
            Span<int> home = LineOf(OtherOf(bucket, tag));
            int bit = BitOf(tag);
            home[OverflowAt]++;
            home[FilterAt + (bit >> 5)] |= 1 << (bit & 31);
        }

        return true;
    }

    private bool TryTake(uint bucket, ushort tag, int index)
    {
        Span<int> line = LineOf(bucket);
        for (uint matches = Matches(line, tag); matches != 0; matches &= matches - 1)
        {
            int way = BitOperations.TrailingZeroCount(matches);
            if (line[IndicesAt + way] == index)
            {
                Clear(bucket, line, way, tag);
                return true;
            }
        }

        return false;
    }

    /// <summary>Moves entries to their other buckets, each into the place of the next, until one of two full buckets has a free place.</summary>
    /// <remarks>Breadth first, so along the shortest way (Li, Andersen, Kaminsky, Freedman 2014): hardly ever more than two moves below 90 % load.</remarks>
    private bool TryMakeRoom(uint first, uint other)
    {
        int known = 0;
        _search[known++] = (first, -1, 0);
        _search[known++] = (other, -1, 0);
        for (int at = 0; at < known; at++)
        {
            uint bucket = _search[at].Bucket;
            Span<int> line = LineOf(bucket);
            for (int way = 0; way < Ways; way++)
            {
                uint next = OtherOf(bucket, TagAt(line, way));
                if (Matches(LineOf(next), 0) != 0)
                {
                    MoveAlong(at, way, next);
                    return true;
                }

                if (known < _search.Length)
                {
                    _search[known++] = (next, at, way);
                }
            }
        }

        return false;
    }

    /// <summary>Moves from the end of the way found to its beginning, so that there always is a free place to move to.</summary>
    /// <remarks>No bucket is twice on the way: of two of the same, the first was searched before, with all that lies behind it, and would have ended the search.
    /// So every entry still is where it was when it was searched.</remarks>
    private void MoveAlong(int at, int way, uint target)
    {
        for (; at >= 0; (target, way, at) = (_search[at].Bucket, _search[at].Way, _search[at].Parent))
        {
            uint bucket = _search[at].Bucket;
            Span<int> line = LineOf(bucket);
            ushort tag = TagAt(line, way);
            bool isAway = (line[AwayAt] >> way & 1) != 0, isMoved = TryPut(target, tag, line[IndicesAt + way], away: !isAway);
            Debug.Assert(isMoved && OtherOf(bucket, tag) == target, "the way to a free place crosses itself");
            Clear(bucket, line, way, tag);
        }
    }

    private void Clear(uint bucket, Span<int> line, int way, ushort tag)
    {
        SetTag(line, way, 0);
        if ((line[AwayAt] >> way & 1) != 0)
        {
            line[AwayAt] &= ~(1 << way);
            Span<int> home = LineOf(OtherOf(bucket, tag));
            if (--home[OverflowAt] == 0)
            {
                // A bit may stand for several entries, so bits are taken back only together.
                home[FilterAt] = home[FilterAt + 1] = 0;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<int> LineOf(uint bucket) => _lines[(int)bucket];

    /// <summary>A bit for each way whose tag is <paramref name="tag"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Matches(ReadOnlySpan<int> line, ushort tag) =>
        Vector128.Equals(Vector128.Create(line).AsUInt16(), Vector128.Create(tag)).ExtractMostSignificantBits();

    /// <summary>The lowest way of a mask that is not 0; below <see cref="Ways"/> whatever it is, so that nobody has to check.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstOf(uint ways) => BitOperations.TrailingZeroCount(ways) & (Ways - 1);

    private static ushort TagAt(Span<int> line, int way) => (ushort)(line[way >> 1] >> ((way & 1) << 4));

    private static void SetTag(Span<int> line, int way, ushort tag)
    {
        // Tag number w is lane w of the vector: with two to an int, the lower half first.
        int shift = (way & 1) << 4;
        line[way >> 1] = (line[way >> 1] & ~(0xFFFF << shift)) | (tag << shift);
    }

    /// <summary>Upper half of the hash, never 0: 0 marks a free place.</summary>
    private static ushort TagOf(uint hash) => (ushort)Math.Max(hash >> 16, 1);

    /// <summary>The other bucket of an entry, and back. Never the same one: what it holds would be found twice, and <see cref="Next"/> would go round in it.</summary>
    private uint OtherOf(uint bucket, ushort tag) => (bucket ^ (tag * 0x5BD1E995u | 1)) & _mask;

    /// <summary>A bucket: its tags, its indices, and what is said of those away.</summary>
    [InlineArray(LineInts)]
    private struct Line
    {
        private int _first;
    }
}
