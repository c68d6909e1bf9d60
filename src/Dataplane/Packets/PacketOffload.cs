using System.Runtime.InteropServices;

namespace Dataplane.Packets;

/// <summary>What is left to finish in a packet that is marked <see cref="PacketMarks.Unfinished"/>: the content of its offload header (linux/virtio_net.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PacketOffload
{
    /// <summary>Where the transport header begins, counted from the start of the batch's memory: a link header of another length does not change it.</summary>
    public int TransportAt;

    /// <summary>From there to the checksum, in bytes.</summary>
    public ushort ChecksumOffset;

    /// <summary>Payload bytes of each segment but the last (super-frames).</summary>
    public ushort SegmentBytes;

    /// <summary>Length in bytes of network and transport header, which every segment repeats (super-frames).</summary>
    public ushort HeaderBytes;

    /// <summary>VIRTIO_NET_HDR_GSO_*; VIRTIO_NET_HDR_GSO_NONE when only the checksum is unfinished.</summary>
    public byte Kind;
}
