using System.Buffers.Binary;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Finishes checksums that the kernel of the sending machine has left to hardware which does not exist.</summary>
/// <remarks>
/// Inside a machine (veth, bridge, TAP, virtio) a TCP or UDP checksum may hold no more than the sum of the pseudo-header (CHECKSUM_PARTIAL in
/// include/linux/skbuff.h). A packet socket is told so; an XDP program is not, and a receiver on a wire would drop the packet. So a checksum that is equal to
/// the pseudo-header's sum is taken for unfinished. If it was right all the same, one time in 65,536, finishing it gives the same value again.
/// </remarks>
internal static class PartialChecksums
{
    private const int LinkBytes = 14, VlanTagBytes = 4, Ipv4Bytes = 20, Ipv6Bytes = 40;

    /// <summary>Looks at the packets of a batch from <paramref name="first"/> on.</summary>
    /// <returns>How many were finished.</returns>
    public static int Finish(PacketBatch batch, int first)
    {
        Span<byte> memory = batch.Memory;
        ReadOnlySpan<int> offsets = batch.Offsets, lengths = batch.Lengths;
        int finished = 0;
        for (int i = first; i < batch.Count; i++)
        {
            if (FinishFrame(memory.Slice(offsets[i], lengths[i])))
            {
                finished++;
            }
        }

        return finished;
    }

    /// <summary>Looks at one frame.</summary>
    /// <returns>Whether its checksum was unfinished.</returns>
    public static bool FinishFrame(Span<byte> frame)
    {
        if (frame.Length < LinkBytes + Ipv4Bytes + 8)
        {
            return false;
        }

        int network = LinkBytes;
        int type = BinaryPrimitives.ReadUInt16BigEndian(frame[12..]);
        while (type is 0x8100 or 0x88A8 && frame.Length >= network + VlanTagBytes + Ipv4Bytes + 8)
        {
            type = BinaryPrimitives.ReadUInt16BigEndian(frame[(network + 2)..]);
            network += VlanTagBytes;
        }

        return type switch
        {
            0x0800 => FinishIpv4(frame[network..]),
            0x86DD => FinishIpv6(frame[network..]),
            _ => false,
        };
    }

    private static bool FinishIpv4(Span<byte> packet)
    {
        // A fragment's checksum is over what is not in it.
        const int FragmentBits = 0x3FFF;
        int header = (packet[0] & 0x0F) * 4;
        int total = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        if ((BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & FragmentBits) != 0 || header < Ipv4Bytes || total > packet.Length || total < header)
        {
            return false;
        }

        ulong addresses = InternetSum.AddWithCarry(0, BitConverter.ToUInt64(packet[12..]));
        return FinishTransport(packet[header..total], packet[9], addresses);
    }

    private static bool FinishIpv6(Span<byte> packet)
    {
        if (packet.Length < Ipv6Bytes)
        {
            return false;
        }

        int total = Ipv6Bytes + BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        return total <= packet.Length && FinishTransport(packet[Ipv6Bytes..total], packet[6], InternetSum.Add(0, packet[8..Ipv6Bytes]));
    }

    private static bool FinishTransport(Span<byte> segment, byte protocol, ulong addresses)
    {
        int field = protocol switch
        {
            IpProtocols.Tcp => 16,
            IpProtocols.Udp => 6,
            _ => int.MaxValue - sizeof(ushort),
        };
        if (segment.Length < field + sizeof(ushort))
        {
            return false;
        }

        // Complemented twice is the sum itself, folded.
        ulong pseudo = addresses + InternetSum.OfWord(protocol) + InternetSum.OfWord(segment.Length);
        ushort unfinished = (ushort)~InternetSum.Complement(pseudo < addresses ? pseudo + 1 : pseudo);
        Span<byte> checksum = segment.Slice(field, sizeof(ushort));
        if (BitConverter.ToUInt16(checksum) != unfinished)
        {
            return false;
        }

        ulong sum = InternetSum.Add(0, segment);
        BitConverter.TryWriteBytes(checksum, protocol == IpProtocols.Udp ? InternetSum.ComplementNonZero(sum) : InternetSum.Complement(sum));
        return true;
    }
}
