using Dataplane.Native.Abi;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Offload headers of the kernel (linux/virtio_net.h), and what stands for them in a batch.</summary>
internal static class OffloadHeader
{
    /// <summary>Notes what is left to finish in a packet.</summary>
    /// <returns>Whether it is a super-frame.</returns>
    public static bool Note(PacketBatch batch, int packet, in virtio_net_hdr header)
    {
        batch.SetOffload(packet, new PacketOffload
        {
            TransportAt = batch.Offsets[packet] + header.csum_start,
            ChecksumOffset = header.csum_offset,
            SegmentBytes = header.gso_size,
            Kind = header.gso_type,
        });
        return header.gso_type != VirtioNet.VIRTIO_NET_HDR_GSO_NONE;
    }

    /// <summary>The header that a packet leaves with; all zeros say that it is finished.</summary>
    public static virtio_net_hdr Of(PacketBatch batch, int packet)
    {
        virtio_net_hdr header = default;
        if ((batch.Marks[packet] & PacketMarks.Unfinished) == 0)
        {
            return header;
        }

        ref readonly PacketOffload offload = ref batch.Offloads[packet];
        int transport = offload.TransportAt - batch.Offsets[packet];
        header.flags = VirtioNet.VIRTIO_NET_HDR_F_NEEDS_CSUM;
        (header.csum_start, header.csum_offset) = ((ushort)transport, offload.ChecksumOffset);
        if ((batch.Marks[packet] & PacketMarks.SuperFrame) != 0)
        {
            (header.gso_type, header.gso_size) = (offload.Kind, offload.SegmentBytes);

            // What the kernel puts into the packet's linear part: the headers; the payload goes into pages.
            header.hdr_len = (ushort)(transport - NetworkBytes(batch, packet) + offload.HeaderBytes);
        }

        return header;
    }

    private static int NetworkBytes(PacketBatch batch, int packet) =>
        batch.Parsed[packet].Headers.TransportOffset - batch.Parsed[packet].Headers.NetworkOffset;
}
