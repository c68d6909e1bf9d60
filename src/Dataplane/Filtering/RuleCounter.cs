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

    [FieldOffset(64)]
    private long _packets;

    [FieldOffset(72)]
    private long _bytes;

    /// <summary>The rule's name, or <c>default</c>.</summary>
    public string Name => _name;

    /// <summary>Packets matched.</summary>
    public long Packets => Volatile.Read(ref _packets);

    /// <summary>Bytes of their frames.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Counts packets. By the one writer only.</summary>
    public void Add(long packets, long bytes)
    {
        _packets += packets;
        _bytes += bytes;
    }
}
