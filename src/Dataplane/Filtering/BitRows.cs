using System.Numerics;

namespace Dataplane.Filtering;

/// <summary>Sets of small numbers as rows of bits, each different set once: equal rows get the same number. Used by the control side.</summary>
/// <param name="words">64-bit words in a row.</param>
internal sealed class BitRows(int words)
{
    private ulong[] _bits = new ulong[16 * words];
    private ulong[] _hashes = new ulong[16];
    private int[] _buckets = NewBuckets(32);

    /// <summary>The number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>64-bit words in a row.</summary>
    public int Words => words;

    /// <summary>A row.</summary>
    public ReadOnlySpan<ulong> this[int row] => _bits.AsSpan(row * words, words);

    /// <summary>The number of a row that has these bits, which is added unless there is one.</summary>
    public int Add(ReadOnlySpan<ulong> bits)
    {
        ulong hash = HashOf(bits);
        int mask = _buckets.Length - 1, bucket = (int)(hash >> 32) & mask;
        for (; _buckets[bucket] >= 0; bucket = (bucket + 1) & mask)
        {
            int row = _buckets[bucket];
            if (_hashes[row] == hash && this[row].SequenceEqual(bits))
            {
                return row;
            }
        }

        _buckets[bucket] = Count;
        Append(bits, hash);
        return Count - 1;
    }

    private void Append(ReadOnlySpan<ulong> bits, ulong hash)
    {
        if (Count == _hashes.Length)
        {
            Array.Resize(ref _hashes, 2 * Count);
            Array.Resize(ref _bits, 2 * Count * words);
            _buckets = NewBuckets(4 * Count);
            for (int row = 0; row < Count; row++)
            {
                int bucket = (int)(_hashes[row] >> 32) & (_buckets.Length - 1);
                while (_buckets[bucket] >= 0)
                {
                    bucket = (bucket + 1) & (_buckets.Length - 1);
                }

                _buckets[bucket] = row;
            }

            // The row being added has its bucket among the old ones: find it a new one.
            int free = (int)(hash >> 32) & (_buckets.Length - 1);
            while (_buckets[free] >= 0)
            {
                free = (free + 1) & (_buckets.Length - 1);
            }

            _buckets[free] = Count;
        }

        bits.CopyTo(_bits.AsSpan(Count * words));
        _hashes[Count++] = hash;
    }

    private static int[] NewBuckets(int length)
    {
        int[] buckets = new int[length];
        Array.Fill(buckets, -1);
        return buckets;
    }

    private static ulong HashOf(ReadOnlySpan<ulong> bits)
    {
        ulong hash = 0x9E37_79B9_7F4A_7C15;
        foreach (ulong word in bits)
        {
            hash = (BitOperations.RotateLeft(hash, 23) ^ word) * 0xD6E8_FEB8_6659_FD93;
        }

        return hash ^ (hash >> 29);
    }
}
