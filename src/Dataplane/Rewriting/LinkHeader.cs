using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Rewriting;

/// <summary>Writes the Ethernet header of a frame that leaves by an interface.</summary>
internal static class LinkHeader
{
    /// <summary>Writes 14 bytes, or 18 with a VLAN tag, in three or four stores.</summary>
    public static void Write(Span<byte> frame, ulong targetMac, L3Interface entry, ushort etherType)
    {
        ulong source = entry.Mac.Bits;
        BinaryPrimitives.WriteUInt64BigEndian(frame, (targetMac << 16) | (source >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(frame[8..], (uint)source);
        if (entry.Vlan == 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(frame[12..], etherType);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(frame[12..], ((uint)EtherTypes.Vlan << 16) | entry.Vlan);
            BinaryPrimitives.WriteUInt16BigEndian(frame[16..], etherType);
        }
    }
}
