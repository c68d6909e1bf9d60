using System.Numerics;

namespace Dataplane.Capturing;

/// <summary>Packets on their way from a worker to whoever writes them: records and bytes, both bounded; one writer, one reader.</summary>
/// <remarks>
/// The writer never waits and never allocates: what finds no room is not taken. A packet's bytes lie together; where they would reach over the end they begin
/// at the start again. Both positions only grow; the count is published last by the writer and by the reader, so that whoever sees it sees what belongs to it.
/// </remarks>
internal sealed class CaptureRing
{
    private readonly CaptureRecord[] _records;
    private readonly byte[] _bytes;
    private readonly Positions _written = new(), _read = new();
    private long _next;        // the writer's: where the next packet's bytes may begin
    private long _freed;       // the writer's copy of what the reader has passed
    private long _taken;

    /// <param name="bytes">Room for packets, rounded up to a power of two.</param>
    public CaptureRing(int bytes)
    {
        _bytes = new byte[BitOperations.RoundUpToPowerOf2((uint)bytes)];
        _records = new CaptureRecord[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, bytes / 256))];
    }

    /// <summary>Copies a packet in. The writer.</summary>
    /// <returns>False when there is no room.</returns>
    public bool TryAdd(ref CaptureRecord record, ReadOnlySpan<byte> frame)
    {
        long at = _next;
        int offset = (int)(at & (_bytes.Length - 1));
        if (frame.Length > _bytes.Length - offset)
        {
            at += _bytes.Length - offset;
            offset = 0;
        }

        long end = at + frame.Length, count = _written.Count;
        if (count - _taken >= _records.Length || end - _freed > _bytes.Length)
        {
            _taken = Volatile.Read(ref _read.Count);
            _freed = _read.Bytes;
            if (count - _taken >= _records.Length || end - _freed > _bytes.Length)
            {
                return false;
            }
        }

        frame.CopyTo(_bytes.AsSpan(offset));
        record.Kept = frame.Length;
        record.End = end;
        _records[count & (_records.Length - 1)] = record;
        _next = end;
        Volatile.Write(ref _written.Count, count + 1);
        return true;
    }

    /// <summary>Looks at the next packet; its bytes are valid until <see cref="Release"/>. The reader.</summary>
    public bool TryPeek(out CaptureRecord record, out ReadOnlySpan<byte> frame)
    {
        if (Volatile.Read(ref _written.Count) == _read.Count)
        {
            record = default;
            frame = default;
            return false;
        }

        record = _records[_read.Count & (_records.Length - 1)];
        frame = _bytes.AsSpan((int)((record.End - record.Kept) & (_bytes.Length - 1)), record.Kept);
        return true;
    }

    /// <summary>Gives the packet's room back. The reader.</summary>
    public void Release()
    {
        ref CaptureRecord record = ref _records[_read.Count & (_records.Length - 1)];
        record.Tables = null;
        _read.Bytes = record.End;
        Volatile.Write(ref _read.Count, _read.Count + 1);
    }

    /// <summary>What one side has written last; each on lines of its own.</summary>
    private sealed class Positions
    {
#pragma warning disable CS0649, IDE0051, CA1823 // Only keeps the lines apart.
        private readonly Padding _before;
        public long Count;
        public long Bytes;
        private readonly Padding _after;
#pragma warning restore CS0649, IDE0051, CA1823

        [System.Runtime.CompilerServices.InlineArray(8)]
        private struct Padding
        {
            private long _first;
        }
    }
}
