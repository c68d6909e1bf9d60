using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Rewriting;

namespace Dataplane.Overlays;

/// <summary>Inner frames of the batch in hand, which wait to be run through the pipeline: one batch for each network, TCP segments joined. Used by one thread.</summary>
internal sealed class InnerFrames
{
    /// <summary>The most frames in one outer super-frame: as many as Linux merges or cuts (UDP_MAX_SEGMENTS).</summary>
    public const int MaxSegments = 128;

    private readonly short[] _peers = new short[PacketBatch.Capacity];
    private readonly PacketBatch _batch = new();
    private readonly SegmentMerger _merger = new();
    private Pending[] _pending = [];
    private int _count;

    /// <summary>The frames last taken.</summary>
    public PacketBatch Batch => _batch;

    /// <summary>Whether frames wait.</summary>
    public bool HasPending => _count > 0;

    /// <summary>The peer that a frame of <see cref="Batch"/> came from.</summary>
    public int PeerOf(int packet) => _peers[packet];

    /// <summary>Makes room, once there are overlays. Between batches. The system gives pages for what is used of it.</summary>
    public void Prepare()
    {
        if (_pending.Length == 0)
        {
            _pending = new Pending[PacketBatch.Capacity * MaxSegments];
            _merger.Prepare();
        }
    }

    /// <summary>Notes a frame.</summary>
    /// <param name="overlay">Its network.</param>
    /// <param name="peer">The number of the peer it is from.</param>
    /// <param name="offset">Where it lies in the memory of the outer one.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="isFirst">Whether it is the first of its outer packet, which is held for it.</param>
    public void Note(Overlay overlay, int peer, int offset, int length, bool isFirst = true) =>
        _pending[_count++] = new Pending { Overlay = overlay, Peer = (short)peer, Offset = offset, Length = length, IsFirst = isFirst };

    /// <summary>Notes a frame in which something is left to finish.</summary>
    public void Note(Overlay overlay, int peer, int offset, int length, in PacketOffload offload)
    {
        Note(overlay, peer, offset, length);
        _pending[_count - 1].Offload = offload;
        _pending[_count - 1].IsUnfinished = true;
    }

    /// <summary>Fills <see cref="Batch"/> with frames of one overlay, the one of the first that waits; as many as there is room for.</summary>
    /// <param name="outer">The batch whose memory they lie in.</param>
    /// <param name="nowNs">Worker time.</param>
    public InnerShare Take(PacketBatch outer, long nowNs)
    {
        Overlay overlay = _pending[0].Overlay;
        _merger.Clear();
        int left = 0, released = 0;
        long bytes = 0;
        bool isFull = false;
        for (int at = 0; at < _count; at++)
        {
            ref readonly Pending pending = ref _pending[at];
            isFull = isFull || (ReferenceEquals(pending.Overlay, overlay) && !_merger.TryAdd(pending.Offset, pending.Length, pending.Peer, pending.IsUnfinished ? pending.Offload : null));
            if (isFull || !ReferenceEquals(pending.Overlay, overlay))
            {
                _pending[left++] = pending;
                continue;
            }

            released += pending.IsFirst ? 1 : 0;
            bytes += pending.Length;
        }

        _count = left;
        int joined = overlay.JoinsSegments ? _merger.Join(outer.Memory) : _merger.JoinNone();
        _batch.Clear(new PortId(overlay.Trunk.Interface.Port), nowNs);
        _merger.Fill(outer, _batch, _peers);
        _batch.Seal();
        return new InnerShare(_merger.Count, bytes, released, joined);
    }

    private struct Pending
    {
        public Overlay Overlay;
        public PacketOffload Offload;
        public int Offset;
        public int Length;
        public short Peer;
        public bool IsFirst;
        public bool IsUnfinished;
    }
}
