using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>Packets the engine makes itself: a batch of its own, filled by stages and run at the end of theirs.</summary>
/// <remarks>Bounded by the batch; what finds no room is not made and counted. Used by one thread.</remarks>
internal sealed class OriginatedPackets
{
    /// <summary>Bytes before each frame, so that a longer link header still fits.</summary>
    public const int HeadroomBytes = 64;

    private readonly byte[] _slab;
    private readonly int _slotBytes;

    public OriginatedPackets(int maxMtu)
    {
        _slotBytes = (HeadroomBytes + 18 + maxMtu + 63) & ~63;
        _slab = GC.AllocateArray<byte>(PacketBatch.Capacity * _slotBytes, pinned: true);
        Batch.SetMemory(_slab);
    }

    /// <summary>The packets made so far.</summary>
    public PacketBatch Batch { get; } = new();

    /// <summary>The longest frame that fits.</summary>
    public int MaxFrameBytes => _slotBytes - HeadroomBytes;

    /// <summary>Packets not made because there was no room.</summary>
    public long Suppressed { get; private set; }

    /// <summary>Adds a frame of zeros to be filled in; its verdict is <see cref="Verdict.Continue"/> and it is marked as of local origin.</summary>
    /// <returns>The packet's number in <see cref="Batch"/>, or -1 when there is no room.</returns>
    public int Add(int frameBytes)
    {
        PacketBatch batch = Batch;
        int index = batch.Count;
        if (frameBytes > MaxFrameBytes || !batch.Add((index * _slotBytes) + HeadroomBytes, frameBytes))
        {
            Suppressed++;
            return -1;
        }

        batch.Frame(index).Clear();
        batch.Marks[index] = PacketMarks.LocalOrigin;
        batch.Flows[index] = -1;
        batch.InInterfaces[index] = -1;
        batch.Parsed[index].Headers = default;
        batch.Parsed[index].Key = default;
        return index;
    }

    /// <summary>Forgets all packets, once they are counted.</summary>
    public void Clear(long nowNs) => Batch.Clear(PortId.None, nowNs);
}
