namespace Dataplane.Ports;

/// <summary>Frames the engine has transmitted, read where they lie. Dispose it to give their slots back.</summary>
/// <remarks>
/// Used by the one thread that receives from the port; only one may be open per port. The spans are valid until
/// <see cref="Dispose"/>. Made for <c>using</c> and <c>foreach</c>; allocates nothing.
/// </remarks>
public readonly ref struct ReceivedFrames : IDisposable
{
    private readonly FrameRing _ring;

    internal ReceivedFrames(FrameRing ring, int count)
    {
        _ring = ring;
        Count = count;
    }

    /// <summary>The number of frames, 0 when none wait.</summary>
    public int Count { get; }

    /// <summary>The bytes of a frame from its first MAC byte, without FCS.</summary>
    /// <param name="index">0 to <see cref="Count"/> - 1, in the order they were transmitted.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such frame.</exception>
    public ReadOnlySpan<byte> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            return _ring.TakenFrame(Count - index);
        }
    }

    /// <summary>Gives the slots back to the engine.</summary>
    public void Dispose() => _ring?.ReleaseTaken();

    /// <summary>Goes over the frames in order.</summary>
    public Enumerator GetEnumerator() => new(this);

    /// <summary>Goes over received frames.</summary>
    public ref struct Enumerator
    {
        private readonly ReceivedFrames _frames;
        private int _index;

        internal Enumerator(ReceivedFrames frames)
        {
            _frames = frames;
            _index = -1;
        }

        /// <summary>The bytes of the frame the enumerator stands on.</summary>
        public readonly ReadOnlySpan<byte> Current => _frames[_index];

        /// <summary>Goes to the next frame; false behind the last.</summary>
        public bool MoveNext() => ++_index < _frames.Count;
    }
}
