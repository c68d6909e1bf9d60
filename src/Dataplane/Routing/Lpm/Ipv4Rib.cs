namespace Dataplane.Routing.Lpm;

/// <summary>All IPv4 routes, for the writer: what is to be seen again when a longer one goes.</summary>
/// <remarks>
/// Prefixes up to /18 stand in a heap, one place for each that can exist. Longer ones stand in 2^18 short sorted lists, one for each /18, packed
/// into one array: a change touches only its list. Order in a list is by address and then length, so that painting a list from its
/// beginning to its end leaves the longest match in every cell.
/// </remarks>
internal sealed class Ipv4Rib
{
    /// <summary>The longest prefixes in the heap, and the size of an area.</summary>
    public const int AreaLength = 18;

    /// <summary>Areas of the address space.</summary>
    public const int Areas = 1 << AreaLength;

    private readonly int[] _heap = new int[Areas * 2];
    private readonly Bucket[] _buckets = new Bucket[Areas];
    private readonly List<int> _freeHeads = [];
    private ulong[] _entries = new ulong[1024];
    private int _used = 1;

    /// <summary>Routes.</summary>
    public int Count { get; private set; }

    /// <summary>Size in bytes.</summary>
    public long MemoryBytes => ((long)_heap.Length * sizeof(int)) + ((long)_buckets.Length * 8) + ((long)_entries.Length * sizeof(ulong));

    /// <summary>First address, less the area's, in the top 32 bits over 6 bits of length; the value below. Ordered as numbers.</summary>
    /// <param name="address">Of the route.</param>
    /// <param name="length">19 to 32.</param>
    /// <param name="value">Of the route.</param>
    public static ulong Entry(uint address, int length, int value) => ((ulong)(((address & 0x3FFF) << 6) | (uint)length) << 32) | (uint)value;

    /// <summary>The first address of an entry, less the area's.</summary>
    public static int OffsetOf(ulong entry) => (int)(entry >> 38);

    /// <summary>The prefix length of an entry.</summary>
    public static int LengthOf(ulong entry) => (int)(entry >> 32) & 63;

    /// <summary>The value of an entry.</summary>
    public static int ValueOf(ulong entry) => (int)entry;

    /// <summary>The routes longer than /18 in an area, in order. Valid until the next change.</summary>
    public ReadOnlySpan<ulong> InArea(int area)
    {
        Bucket bucket = _buckets[area];
        return _entries.AsSpan(bucket.First, bucket.Count);
    }

    /// <summary>The value of the longest route of up to /18 that holds a whole area, 0 for none.</summary>
    public int Cover(int area)
    {
        int[] heap = _heap;
        for (int place = Areas | area; place > 0; place >>= 1)
        {
            if (heap[place] != 0)
            {
                return heap[place];
            }
        }

        return 0;
    }

    /// <summary>The value of exactly this route, 0 when there is none.</summary>
    public int Find(uint first, int length)
    {
        if (length <= AreaLength)
        {
            return _heap[Place(first, length)];
        }

        ReadOnlySpan<ulong> bucket = InArea((int)(first >> (32 - AreaLength)));
        int at = Search(bucket, Entry(first, length, 0));
        return at >= 0 ? ValueOf(bucket[at]) : 0;
    }

    /// <summary>The longest route that holds an address.</summary>
    /// <returns>Its length, -1 for none.</returns>
    public int LongestLength(uint address)
    {
        ReadOnlySpan<ulong> bucket = InArea((int)(address >> (32 - AreaLength)));
        int longest = -1;
        foreach (ulong entry in bucket)
        {
            int length = LengthOf(entry);
            if ((((address & 0x3FFF) ^ (uint)OffsetOf(entry)) >> (32 - length)) == 0)
            {
                longest = Math.Max(longest, length);
            }
        }

        for (int length = AreaLength; longest < 0 && length >= 0; length--)
        {
            longest = _heap[Place(address, length)] != 0 ? length : longest;
        }

        return longest;
    }

    /// <summary>Sets, replaces or (with value 0) takes out a route.</summary>
    /// <returns>The value it had, 0 for none.</returns>
    public int Set(uint first, int length, int value)
    {
        int before = length <= AreaLength ? SetShort(ref _heap[Place(first, length)], value) : SetLong(first, length, value);
        Count += (value != 0 ? 1 : 0) - (before != 0 ? 1 : 0);
        return before;
    }

    private static int SetShort(ref int place, int value)
    {
        int before = place;
        place = value;
        return before;
    }

    private static int Place(uint first, int length) => (1 << length) | (int)((ulong)first >> (32 - length));

    /// <summary>The place of a route, or the complement of where it belongs.</summary>
    private static int Search(ReadOnlySpan<ulong> bucket, ulong entry)
    {
        uint wanted = (uint)(entry >> 32);
        int low = 0, high = bucket.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if ((uint)(bucket[middle] >> 32) < wanted)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low < bucket.Length && (uint)(bucket[low] >> 32) == wanted ? low : ~low;
    }

    /// <summary>Capacities: 0, 2, 3, 4, 6, 8, 12 and so on.</summary>
    private static int CapacityOf(int size) => size == 0 ? 0 : (size & 1) != 0 ? 2 << (size >> 1) : 3 << ((size >> 1) - 1);

    private int SetLong(uint first, int length, int value)
    {
        ref Bucket bucket = ref _buckets[first >> (32 - AreaLength)];
        ulong entry = Entry(first, length, value);
        int at = Search(_entries.AsSpan(bucket.First, bucket.Count), entry);
        if (at >= 0)
        {
            int before = ValueOf(_entries[bucket.First + at]);
            if (value != 0)
            {
                _entries[bucket.First + at] = entry;
                return before;
            }

            Span<ulong> tail = _entries.AsSpan(bucket.First + at, bucket.Count - at);
            tail[1..].CopyTo(tail);
            bucket.Count--;
            if (bucket.Count == 0)
            {
                Release(bucket.First, bucket.Class);
                bucket = default;
            }

            return before;
        }

        if (value != 0)
        {
            if (bucket.Count == CapacityOf(bucket.Class))
            {
                Enlarge(ref bucket);
            }

            Span<ulong> tail = _entries.AsSpan(bucket.First + ~at, bucket.Count - ~at + 1);
            tail[..^1].CopyTo(tail[1..]);
            tail[0] = entry;
            bucket.Count++;
        }

        return 0;
    }

    private void Enlarge(ref Bucket bucket)
    {
        byte size = (byte)(bucket.Class + 1);
        int first = Take(size);
        _entries.AsSpan(bucket.First, bucket.Count).CopyTo(_entries.AsSpan(first));
        Release(bucket.First, bucket.Class);
        (bucket.First, bucket.Class) = (first, size);
    }

    private int Take(int size)
    {
        while (_freeHeads.Count <= size)
        {
            _freeHeads.Add(0);
        }

        int first = _freeHeads[size];
        if (first != 0)
        {
            // A free place says in its first entry where the next one is.
            _freeHeads[size] = (int)_entries[first];
            return first;
        }

        int capacity = CapacityOf(size);
        if (_used + capacity > _entries.Length)
        {
            Array.Resize(ref _entries, Math.Max(_used + capacity, _entries.Length * 2));
        }

        first = _used;
        _used += capacity;
        return first;
    }

    private void Release(int first, int size)
    {
        if (size > 0)
        {
            _entries[first] = (ulong)_freeHeads[size];
            _freeHeads[size] = first;
        }
    }

    private struct Bucket
    {
        public int First;
        public ushort Count;
        public byte Class;
    }
}
