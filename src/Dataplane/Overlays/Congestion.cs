using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Overlays;

/// <summary>Takes the outer packet's mark of congestion over into the inner one (RFC 6040 4.2).</summary>
internal static class Congestion
{
    private const int Mask = 3, NotCapable = 0, Capable1 = 1, Capable0 = 2, Experienced = 3;

    /// <summary>Marks the inner frame, if it must be.</summary>
    /// <param name="frame">The inner frame; of any length.</param>
    /// <param name="outer">Type of service or traffic class of the outer packet.</param>
    /// <returns>False when congestion is said to a sender that would not understand: the packet must be dropped, as the queue meant it.</returns>
    public static bool TryTakeOver(Span<byte> frame, int outer)
    {
        int mark = outer & Mask;
        if (mark is NotCapable or Capable0 || frame.Length < Vxlan.LinkBytes + Vxlan.Ipv4Bytes)
        {
            return true;
        }

        Span<byte> packet = frame[Vxlan.LinkBytes..];
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(frame[12..]), word = BinaryPrimitives.ReadUInt16BigEndian(packet);
        int shift = type == EtherTypes.Ipv4 ? 0 : 4;
        if (type is not (EtherTypes.Ipv4 or EtherTypes.Ipv6))
        {
            return true;
        }

        int inner = (word >> shift) & Mask;
        if (inner == NotCapable || inner == Experienced || (mark == Capable1 && inner == Capable1))
        {
            return inner != NotCapable || mark != Experienced;
        }

        ushort marked = (ushort)((word & ~(Mask << shift)) | (mark << shift));
        BinaryPrimitives.WriteUInt16BigEndian(packet, marked);
        if (type == EtherTypes.Ipv4)
        {
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(packet[10..]);
            BinaryPrimitives.WriteUInt16BigEndian(packet[10..], InternetChecksum.Adjust(checksum, InternetChecksum.Delta(word, marked)));
        }

        return true;
    }
}
