using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Rewriting;

/// <summary>A frame with what its offload header says; checksums by sums of 16-bit words, sharing nothing with the engine.</summary>
/// <param name="Bytes">The frame.</param>
/// <param name="ChecksumStart">Where the bytes to be summed begin; 0: the checksum is finished.</param>
/// <param name="ChecksumOffset">From there to the field.</param>
/// <param name="Kind">VIRTIO_NET_HDR_GSO_*.</param>
/// <param name="SegmentBytes">Payload of a segment.</param>
internal sealed record Unfinished(byte[] Bytes, int ChecksumStart = 0, int ChecksumOffset = 0, byte Kind = 0, int SegmentBytes = 0)
{
    public const byte TcpV4 = 1, TcpV6 = 4, UdpL4 = 5;

    public bool NeedsChecksum => ChecksumStart != 0;

    /// <summary>Takes a finished TCP or UDP frame back to what a kernel hands over: the field holds the sum of the pseudo-header.</summary>
    public static Unfinished Of(byte[] finished, int segmentBytes = 0)
    {
        ReferencePacket packet = ReferenceDecoder.Decode(finished);
        bool tcp = packet.Protocol == 6;
        int offset = tcp ? 16 : 6;
        byte[] frame = [.. finished];
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(packet.TransportOffset + offset), PseudoHeader(frame));
        byte kind = segmentBytes == 0 ? (byte)0 : !tcp ? UdpL4 : packet.IpVersion == 4 ? TcpV4 : TcpV6;
        return new Unfinished(frame, packet.TransportOffset, offset, kind, segmentBytes);
    }

    /// <summary>The folded sum of the pseudo-header of a frame without routing header.</summary>
    public static ushort PseudoHeader(byte[] frame)
    {
        ReferencePacket packet = ReferenceDecoder.Decode(frame);
        int from = packet.NetworkOffset + (packet.IpVersion == 4 ? 12 : 8), count = packet.IpVersion == 4 ? 8 : 32;
        return Fold(Sum(frame.AsSpan(from, count)) + packet.Protocol + packet.EndOffset - packet.TransportOffset);
    }

    /// <summary>Does what a network card would do with the checksum.</summary>
    public byte[] Finish()
    {
        byte[] frame = [.. Bytes];
        ushort checksum = (ushort)~Fold(Sum(frame.AsSpan(ChecksumStart)));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(ChecksumStart + ChecksumOffset), checksum == 0 && ChecksumOffset == 6 ? (ushort)0xFFFF : checksum);
        return frame;
    }

    private static long Sum(ReadOnlySpan<byte> bytes)
    {
        long sum = 0;
        for (int i = 0; i < bytes.Length; i += 2)
        {
            sum += (bytes[i] << 8) + (i + 1 < bytes.Length ? bytes[i + 1] : 0);
        }

        return sum;
    }

    private static ushort Fold(long sum)
    {
        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)sum;
    }
}
