using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Rewriting;

/// <summary>The checksum field of packets that are marked <see cref="PacketMarks.Unfinished"/>.</summary>
/// <remarks>
/// Outside the engine such a field holds the sum of the pseudo-header, not complemented, and whoever finishes the packet adds the rest. Inside it means
/// nothing: stages adjust it as they would a finished one, and it is written anew, from the addresses the packet leaves with, when it leaves. So no stage has to
/// know, and translating addresses costs what it always costs.
/// </remarks>
internal static class UnfinishedChecksums
{
    private const int Ipv4Addresses = 12, Ipv4AddressBytes = 8, Ipv6Addresses = 8, Ipv6AddressBytes = 32;

    /// <summary>Whether the field holds the sum of the pseudo-header made of the addresses in the IP header.</summary>
    /// <remarks>With a routing header it is made of another destination (RFC 8200 8.1), and so differs.</remarks>
    public static bool HoldsPseudoHeader(PacketBatch batch, int i)
    {
        // One's complement has two zeros.
        ushort field = BitConverter.ToUInt16(Field(batch, i));
        return field % ushort.MaxValue == PseudoHeader(batch, i) % ushort.MaxValue;
    }

    /// <summary>Writes the sum of the pseudo-header, for a port that finishes the packet.</summary>
    public static void WritePseudoHeader(PacketBatch batch, int i) => BitConverter.TryWriteBytes(Field(batch, i), PseudoHeader(batch, i));

    /// <summary>Finishes the checksum of a packet that is no super-frame.</summary>
    public static void Complete(PacketBatch batch, int i)
    {
        WritePseudoHeader(batch, i);
        ref readonly PacketOffload offload = ref batch.Offloads[i];
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        Complete(batch.Memory.Slice(offload.TransportAt, headers.EndOffset - headers.TransportOffset), offload.ChecksumOffset);
        batch.Marks[i] &= ~PacketMarks.Unfinished;
    }

    /// <summary>Finishes a checksum whose field holds the sum of everything that is not in <paramref name="covered"/>.</summary>
    public static void Complete(Span<byte> covered, int checksumOffset)
    {
        // Six bytes into the transport header is UDP's field, where 0 means that there is none (RFC 768).
        const int UdpChecksum = 6;
        ulong sum = InternetSum.Add(0, covered);
        ushort checksum = checksumOffset == UdpChecksum ? InternetSum.ComplementNonZero(sum) : InternetSum.Complement(sum);
        BitConverter.TryWriteBytes(covered[checksumOffset..], checksum);
    }

    private static Span<byte> Field(PacketBatch batch, int i) =>
        batch.Memory.Slice(batch.Offloads[i].TransportAt + batch.Offloads[i].ChecksumOffset, sizeof(ushort));

    private static ushort PseudoHeader(PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        int network = batch.Offloads[i].TransportAt - (headers.TransportOffset - headers.NetworkOffset);
        Span<byte> addresses = headers.IpVersion == 4
            ? batch.Memory.Slice(network + Ipv4Addresses, Ipv4AddressBytes)
            : batch.Memory.Slice(network + Ipv6Addresses, Ipv6AddressBytes);
        ulong sum = InternetSum.OfWord(headers.Protocol) + InternetSum.OfWord(headers.EndOffset - headers.TransportOffset);

        // Complemented twice is the sum itself, folded.
        return (ushort)~InternetSum.Complement(InternetSum.Add(sum, addresses));
    }
}
