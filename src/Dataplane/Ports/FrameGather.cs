using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Puts frames together that come in several parts: one behind the other, in memory that is used anew for every batch.</summary>
/// <remarks>
/// Bounded: a frame that gets longer than it may be keeps what there was room for and is said to be too long; its other parts are passed over.
/// A frame whose end has not come when the batch ends is kept for the next. One copy of each byte. Used by one thread.
/// </remarks>
/// <param name="memory">Where the parts lie, and where frames are put together.</param>
/// <param name="start">Offset of the room for frames.</param>
/// <param name="lengthBytes">Length of that room: enough for one frame and its head-room at least.</param>
/// <param name="maxFrameBytes">The longest frame.</param>
internal sealed class FrameGather(Memory<byte> memory, int start, int lengthBytes, int maxFrameBytes)
{
    /// <summary>What is kept free in front of a frame, since headers may get longer.</summary>
    internal const int HeadroomBytes = AfXdpBinding.HeadroomBytes;

    private const int LineBytes = 64;

    private int _frame = start + HeadroomBytes;      // where the next frame is, or the one that is being put together
    private int _length;                             // what there is of it
    private bool _isTooLong;

    /// <summary>Whether a frame has begun and not ended.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Whether there is room for another frame, or for the rest of the one that has begun.</summary>
    public bool HasRoom => start + lengthBytes - _frame >= maxFrameBytes;

    /// <summary>Adds a part to the frame that has begun, or begins one.</summary>
    /// <param name="offset">Where it lies in the memory.</param>
    /// <param name="length">Its length in bytes.</param>
    public void Add(int offset, int length)
    {
        int taken = _isTooLong ? 0 : Math.Min(length, maxFrameBytes - _length);
        memory.Span.Slice(offset, taken).CopyTo(memory.Span[(_frame + _length)..]);
        IsOpen = true;
        _isTooLong |= taken < length;
        _length += taken;
    }

    /// <summary>Ends the frame and adds it to a batch; one that is too long is dropped there as <see cref="Pipeline.DropReason.FrameTooLong"/>.</summary>
    public void Finish(PacketBatch batch)
    {
        batch.Add(_frame, _length);
        if (_isTooLong)
        {
            batch.Drop(batch.Count - 1, Pipeline.DropReason.FrameTooLong);
        }

        _frame = (_frame + _length + HeadroomBytes + LineBytes - 1) & -LineBytes;
        Reset();
    }

    /// <summary>Ends a batch: nothing that was put together is used any more.</summary>
    public void Clear()
    {
        const int First = HeadroomBytes;
        if (IsOpen && _frame > start + First)
        {
            memory.Span.Slice(_frame, _length).CopyTo(memory.Span[(start + First)..]);
        }

        _frame = start + First;
    }

    private void Reset()
    {
        IsOpen = false;
        _isTooLong = false;
        _length = 0;
    }
}
