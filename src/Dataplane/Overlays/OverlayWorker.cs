using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Switching;

namespace Dataplane.Overlays;

/// <summary>What one worker needs for overlays: the batch of outer packets it is making, and the inner frames of the batch it has received. Used by one thread.</summary>
internal sealed class OverlayWorker(WorkerContext context)
{
    private const int HeadroomBytes = 64;

    private readonly Overlay[] _pendingOverlays = new Overlay[PacketBatch.Capacity];
    private readonly short[] _pendingPeers = new short[PacketBatch.Capacity];
    private readonly int[] _pendingOffsets = new int[PacketBatch.Capacity];
    private readonly int[] _pendingLengths = new int[PacketBatch.Capacity];
    private readonly short[] _innerPeers = new short[PacketBatch.Capacity];
    private byte[] _slab = [];
    private int _slotBytes;
    private int _pending;

    /// <summary>Outer packets made so far, which are to be routed to their peers.</summary>
    public PacketBatch Outer { get; } = new();

    /// <summary>Inner frames, in the memory of the outer ones.</summary>
    public PacketBatch Inner { get; } = new();

    /// <summary>Whether inner frames wait to be run through the pipeline.</summary>
    public bool HasPending => _pending > 0;

    /// <summary>Sends the outer packets when there is no room for more; null where they can only be dropped.</summary>
    public Action? Drain { get; set; }

    /// <summary>Whether the outer packets are on their way: none can be added, or they would go round in a circle.</summary>
    public bool IsSending { get; set; }

    /// <summary>The peer that an inner frame came from.</summary>
    public int PeerOf(int packet) => _innerPeers[packet];

    /// <summary>Makes room for outer packets of the tables in force. Between batches; allocates only when they have become longer.</summary>
    public void Prepare()
    {
        int slot = (HeadroomBytes + context.Tables.Bridges.Overlays.MaxFrameBytes + 63) & ~63;
        if (!context.Tables.Bridges.Overlays.IsEmpty && slot > _slotBytes)
        {
            _slotBytes = slot;
            _slab = GC.AllocateArray<byte>(PacketBatch.Capacity * slot, pinned: true);
            Clear();
        }
    }

    /// <summary>Notes an inner frame of the batch in hand.</summary>
    public void Note(Overlay overlay, int peer, int offset, int length)
    {
        int at = _pending++;
        (_pendingOverlays[at], _pendingPeers[at], _pendingOffsets[at], _pendingLengths[at]) = (overlay, (short)peer, offset, length);
    }

    /// <summary>Fills <see cref="Inner"/> with the frames of one overlay, the one of the first that waits.</summary>
    /// <param name="outer">The batch whose memory they lie in.</param>
    /// <param name="nowNs">Worker time.</param>
    /// <param name="bytes">Bytes of the inner frames.</param>
    public PacketBatch TakeInner(PacketBatch outer, long nowNs, out long bytes)
    {
        Overlay overlay = _pendingOverlays[0];
        PacketBatch inner = Inner;
        inner.Clear(new PortId(overlay.Trunk.Interface.Port), nowNs);
        int borrowed = inner.Borrow(outer);
        int left = 0;
        bytes = 0;
        for (int at = 0; at < _pending; at++)
        {
            if (ReferenceEquals(_pendingOverlays[at], overlay))
            {
                _innerPeers[inner.Count] = _pendingPeers[at];
                inner.Add(_pendingOffsets[at] - borrowed, _pendingLengths[at]);
                bytes += _pendingLengths[at];
            }
            else
            {
                (_pendingOverlays[left], _pendingPeers[left], _pendingOffsets[left], _pendingLengths[left]) =
                    (_pendingOverlays[at], _pendingPeers[at], _pendingOffsets[at], _pendingLengths[at]);
                left++;
            }
        }

        _pending = left;
        inner.Seal();
        return inner;
    }

    /// <summary>Puts a frame into an outer packet to the peer that has the hardware address it is for.</summary>
    /// <returns>None, or why it cannot be sent.</returns>
    public DropReason Encapsulate(PacketBatch batch, int packet)
    {
        BridgeTable bridges = context.Tables.Bridges;
        if (bridges.Overlays.OfPort(batch.OutPorts[packet]) is not { } overlay)
        {
            return DropReason.LinkDown;
        }

        if (IsSending)
        {
            return DropReason.OverlayLoop;
        }

        if (Outer.Count == PacketBatch.Capacity)
        {
            Drain?.Invoke();
        }

        ReadOnlySpan<byte> frame = batch.Frame(packet);
        if (bridges.Find(overlay.Network, EthernetEnds.Target(frame)) is not { Peer: >= 0 } station)
        {
            return DropReason.UnknownStation;
        }

        int at = (Outer.Count * _slotBytes) + HeadroomBytes, length = overlay.OuterBytes + frame.Length;
        if (length > _slotBytes - HeadroomBytes)
        {
            return DropReason.FrameTooLong;
        }

        if (!Outer.Add(at, length))
        {
            return DropReason.TransmitRingFull;
        }

        frame.CopyTo(_slab.AsSpan(at + overlay.OuterBytes));
        OverlayEncapsulationStage.Write(context, Outer, Outer.Count - 1, overlay, station.Peer);
        return DropReason.None;
    }

    /// <summary>Forgets the outer packets, once they are counted.</summary>
    public void Clear()
    {
        Outer.Clear(PortId.None, context.NowNs);
        Outer.SetMemory(_slab);
    }
}
