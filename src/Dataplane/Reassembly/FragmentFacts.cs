using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Reassembly;

/// <summary>What a fragment says of its place in its datagram.</summary>
internal readonly struct FragmentFacts
{
    private const int Ipv4Header = 20, Ipv6Header = 40, FragmentHeader = 8;

    /// <summary>Identification, protocol (IPv4) and family: with both addresses, which datagram (RFC 791 3.2, RFC 8200 4.5).</summary>
    public ulong Identity { get; private init; }

    /// <summary>First byte in the datagram, counted behind the headers that every fragment has.</summary>
    public int Offset { get; private init; }

    /// <summary>Bytes of the datagram.</summary>
    public int Length { get; private init; }

    /// <summary>Whether others follow.</summary>
    public bool HasMore { get; private init; }

    /// <summary>Where they begin in the frame.</summary>
    public int At { get; private init; }

    /// <summary>Reads a packet that the parser has found to be a fragment.</summary>
    public static FragmentFacts Read(ReadOnlySpan<byte> frame, in PacketHeaders headers)
    {
        ReadOnlySpan<byte> packet = frame[headers.NetworkOffset..headers.EndOffset];
        if (headers.IpVersion == 4)
        {
            int header = Math.Max((packet[0] & 0x0F) << 2, Ipv4Header), word = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
            return new FragmentFacts
            {
                Identity = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) | ((ulong)packet[9] << 32) | (4UL << 40),
                Offset = (word & 0x1FFF) << 3,
                Length = packet.Length - header,
                HasMore = (word & 0x2000) != 0,
                At = headers.NetworkOffset + header,
            };
        }

        // The parser has walked the same way and found it sound.
        int at = Ipv6Header;
        byte next = packet[6];
        while (next != IpProtocols.Fragment)
        {
            int length = next == IpProtocols.Authentication ? (packet[at + 1] + 2) << 2 : (packet[at + 1] + 1) << 3;
            next = packet[at];
            at += length;
        }

        int place = BinaryPrimitives.ReadUInt16BigEndian(packet[(at + 2)..]);
        return new FragmentFacts
        {
            Identity = BinaryPrimitives.ReadUInt32BigEndian(packet[(at + 4)..]) | (6UL << 40),
            Offset = place & 0xFFF8,
            Length = packet.Length - at - FragmentHeader,
            HasMore = (place & 1) != 0,
            At = headers.NetworkOffset + at + FragmentHeader,
        };
    }
}
