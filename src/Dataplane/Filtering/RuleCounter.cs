using System.Runtime.InteropServices;

namespace Dataplane.Filtering;

/// <summary>What a filter rule has matched. Written by one thread, read by any.</summary>
/// <remarks>
/// Objects lie anywhere on 8 bytes, so the counters keep a line's length away from both ends of theirs: no other counter, of another
/// worker perhaps, shares their cache line.
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = 136)]
internal sealed class RuleCounter(string name)
{
    [FieldOffset(0)]
    private readonly string _name = name;

    [FieldOffset(8)]
    private RuleCounter[] _others = [];

    [FieldOffset(64)]
    private long _packets;

    [FieldOffset(72)]
    private long _bytes;

    /// <summary>The rule's name, or <c>default</c>.</summary>
    public string Name => _name;

    /// <summary>Packets matched, those of all workers when this is the first one's.</summary>
    public long Packets => Volatile.Read(ref _packets) + Volatile.Read(ref _others).Sum(other => other.Packets);

    /// <summary>Bytes of their frames.</summary>
    public long Bytes => Volatile.Read(ref _bytes) + Volatile.Read(ref _others).Sum(other => other.Bytes);

    /// <summary>The counter of a worker, known to the first one's, which for the first worker is it. Control side.</summary>
    public RuleCounter OfWorker(int worker)
    {
        while (_others.Length < worker)
        {
            Volatile.Write(ref _others, [.. _others, new RuleCounter(Name)]);
        }

        return worker == 0 ? this : _others[worker - 1];
    }

    /// <summary>Counts packets. By the one writer only.</summary>
    public void Add(long packets, long bytes)
    {
        _packets += packets;
        _bytes += bytes;
    }
}
