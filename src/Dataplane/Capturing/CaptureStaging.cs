using Dataplane.Packets;
using Microsoft.Extensions.ObjectPool;

namespace Dataplane.Capturing;

/// <summary>Packets of a batch as they came and as they leave, until it is known what becomes of them. Used by one worker, and again by the next that needs one: more than a MiB is
/// much to be made and thrown away whenever a capture begins or ends, by a collector that stops the workers.</summary>
internal sealed class CaptureStaging : IResettable
{
    /// <summary>Bytes kept of one batch: packets of 1,500 bytes as they come and as they leave, or eight super-frames.</summary>
    private const int StoreBytes = 1 << 20;

    private readonly byte[] _bytes = new byte[StoreBytes];
    private readonly Staged[] _received = new Staged[PacketBatch.Capacity], _sent = new Staged[PacketBatch.Capacity];
    private CaptureLane[] _lanes = [];
    private int _snapLengthBytes;
    private int _used;

    /// <summary>Whether packets are kept as they came: those of other batches have been seen before.</summary>
    public bool HasReceived { get; private set; }

    /// <summary>Says whose packets are kept, and how much of each at most. Before a worker has it.</summary>
    public void Prepare(CaptureLane[] lanes, int snapLengthBytes) => (_lanes, _snapLengthBytes) = (lanes, snapLengthBytes);

    /// <summary>Forgets whose packets it has kept: their rings are not held on to.</summary>
    public bool TryReset()
    {
        _lanes = [];
        return true;
    }

    /// <summary>Forgets everything.</summary>
    public void Begin(bool hasReceived)
    {
        _used = 0;
        HasReceived = hasReceived;
    }

    public ref Staged Received(int packet) => ref _received[packet];

    public ref Staged Sent(int packet) => ref _sent[packet];

    public ReadOnlySpan<byte> BytesOf(in Staged staged) => _bytes.AsSpan(staged.Offset, staged.Kept);

    /// <summary>Keeps a packet if some capture takes it, or may. Its facts are read already.</summary>
    public void Keep(ref Staged staged, ReadOnlySpan<byte> frame)
    {
        (staged.Yes, staged.Unknown, staged.Length, staged.Kept) = (0, 0, frame.Length, -1);
        for (int lane = 0; lane < _lanes.Length; lane++)
        {
            CaptureAnswer answer = _lanes[lane].Filter.Ask(in staged.Facts);
            staged.Yes |= (byte)(answer == CaptureAnswer.Yes ? 1 << lane : 0);
            staged.Unknown |= (byte)(answer == CaptureAnswer.Unknown ? 1 << lane : 0);
        }

        int kept = Math.Min(frame.Length, _snapLengthBytes);
        if ((staged.Yes | staged.Unknown) != 0 && _used + kept <= StoreBytes)
        {
            frame[..kept].CopyTo(_bytes.AsSpan(_used));
            (staged.Offset, staged.Kept) = (_used, kept);
            _used += kept;
        }
    }

    /// <summary>One packet at one side.</summary>
    internal struct Staged
    {
        public CaptureFacts Facts;
        public int Offset;

        /// <summary>Bytes kept; -1 when there was no room.</summary>
        public int Kept;
        public int Length;

        /// <summary>Which captures take it, and which may: a bit each.</summary>
        public byte Yes, Unknown;
    }
}
