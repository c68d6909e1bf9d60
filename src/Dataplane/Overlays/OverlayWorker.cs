using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Switching;

namespace Dataplane.Overlays;

/// <summary>What one worker needs for overlays: the batch of outer packets it is making, and the inner frames of the batch it has received. Used by one thread.</summary>
/// <remarks>
/// A super-frame of TCP or UDP stays in one piece: it is cut into inner frames, each behind a VXLAN header of its own, which lie behind each other as the data of one UDP super-frame.
/// So everything up to the wire is done once for some forty frames, and whoever cuts the outer one into datagrams of its segment size (the kernel, a card, or the engine for a port that takes none)
/// makes packets as RFC 7348 has them. An inner super-frame whose frames do not fit into 64 KB with their headers becomes two outer ones.
/// </remarks>
internal sealed class OverlayWorker(WorkerContext context)
{
    private const int HeadroomBytes = 64;

    /// <summary>Room for super-frames beside 256 ordinary ones.</summary>
    private const int SuperFrameBytes = 192 << 10;

    private byte[] _slab = [];
    private int _slotBytes;
    private int _used;

    /// <summary>Outer packets made so far, which are to be routed to their peers.</summary>
    public PacketBatch Outer { get; } = new();

    /// <summary>How many of them were made of the rest of a frame that another was made of.</summary>
    public int Originated { get; private set; }

    /// <summary>Inner frames, in the memory of the outer ones or joined.</summary>
    public InnerFrames Inner { get; } = new();

    /// <summary>Sends the outer packets when there is no room for more; null where they can only be dropped.</summary>
    public Action? Drain { get; set; }

    /// <summary>Whether the outer packets are on their way: none can be added, or they would go round in a circle.</summary>
    public bool IsSending { get; set; }

    /// <summary>Makes room for outer packets of the tables in force. Between batches; allocates only when they have become longer.</summary>
    public void Prepare()
    {
        int slot = SlotFor(context.Tables.Bridges.Overlays.MaxFrameBytes);
        if (!context.Tables.Bridges.Overlays.IsEmpty && slot > _slotBytes)
        {
            _slotBytes = slot;
            _slab = GC.AllocateArray<byte>((PacketBatch.Capacity * slot) + SuperFrameBytes, pinned: true);
            Inner.Prepare();
            Clear();
        }
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

        if (bridges.Find(overlay.Network, EthernetEnds.Target(batch.Frame(packet))) is not { Peer: >= 0 } station)
        {
            return DropReason.UnknownStation;
        }

        if ((batch.Marks[packet] & PacketMarks.SuperFrame) != 0)
        {
            return EncapsulateSuperFrame(batch, packet, overlay, station.Peer);
        }

        int length = overlay.OuterBytes + batch.Lengths[packet];
        if (length > _slotBytes - HeadroomBytes)
        {
            return DropReason.FrameTooLong;
        }

        if (!HasRoom(1, SlotFor(length)))
        {
            return DropReason.TransmitRingFull;
        }

        int outer = Add(length, out Span<byte> target);
        batch.Frame(packet).CopyTo(target[overlay.OuterBytes..]);
        OverlayEncapsulationStage.Write(context, Outer, outer, overlay, station.Peer);
        return DropReason.None;
    }

    /// <summary>Forgets the outer packets, once they are counted.</summary>
    public void Clear()
    {
        Outer.Clear(PortId.None, context.NowNs);
        Outer.SetMemory(_slab);
        _used = Originated = 0;
    }

    private DropReason EncapsulateSuperFrame(PacketBatch batch, int packet, Overlay overlay, int peer)
    {
        ReadOnlySpan<byte> frame = batch.Frame(packet);
        SuperFrame segments = default;
        if (!segments.TryOpen(frame, batch.Offloads[packet].Kind, batch.Offloads[packet].SegmentBytes))
        {
            return DropReason.BadOffload;
        }

        int each = Vxlan.HeaderBytes + segments.LongestSegmentBytes, before = overlay.OuterBytes - Vxlan.HeaderBytes;
        int most = Math.Min(InnerFrames.MaxSegments / 2, (ushort.MaxValue - before) / each), whole = (segments.Segments + most - 1) / most;
        if (most == 0)
        {
            return DropReason.FrameTooLong;
        }

        if (!HasRoom(whole, (whole * SlotFor(before)) + (segments.Segments * each)))
        {
            return DropReason.TransmitRingFull;
        }

        ReadOnlySpan<byte> vxlan = overlay.Templates[peer].AsSpan(before);
        for (int made = 0; segments.IsPending; made++)
        {
            int start = _used + HeadroomBytes, at = start + before, count = 0;
            for (; count < most && segments.IsPending; count++)
            {
                vxlan.CopyTo(_slab.AsSpan(at));
                at += Vxlan.HeaderBytes;
                at += segments.WriteNext(frame, _slab.AsSpan(at));
            }

            int outer = Add(at - start, out _);
            OverlayEncapsulationStage.Write(context, Outer, outer, overlay, peer);
            if (count > 1)
            {
                Outer.SetOffload(outer, new PacketOffload
                {
                    TransportAt = start + before - Vxlan.UdpBytes,
                    ChecksumOffset = 6,
                    SegmentBytes = (ushort)each,
                    HeaderBytes = (ushort)(before - Vxlan.LinkBytes),
                    Kind = VirtioNet.VIRTIO_NET_HDR_GSO_UDP_L4,
                });
            }

            Originated += made == 0 ? 0 : 1;
        }

        return DropReason.None;
    }

    private static int SlotFor(int length) => (HeadroomBytes + length + 63) & ~63;

    /// <summary>Whether packets fit; sends those that are there when they do not.</summary>
    private bool HasRoom(int packets, int bytes)
    {
        if (Outer.Count + packets > PacketBatch.Capacity || _used + bytes > _slab.Length)
        {
            Drain?.Invoke();
        }

        return Outer.Count + packets <= PacketBatch.Capacity && _used + bytes <= _slab.Length;
    }

    /// <summary>Adds an outer packet, for which there is room.</summary>
    private int Add(int length, out Span<byte> frame)
    {
        int offset = _used + HeadroomBytes;
        Outer.Add(offset, length);
        frame = _slab.AsSpan(offset, length);
        _used += SlotFor(length);
        return Outer.Count - 1;
    }
}
