using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Tests.Reassembly;

/// <summary>Fragments with an identification in both families.</summary>
internal static class Pieces
{
    /// <summary>The packet in fragments of so many bytes.</summary>
    public static IReadOnlyList<byte[]> Of(PacketBuilder packet, int dataBytes, uint identification)
    {
        IReadOnlyList<byte[]> fragments = packet.BuildFragments(dataBytes, identification);
        foreach (byte[] frame in fragments)
        {
            if (BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12)) == EtherTypes.Ipv4)
            {
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(18), (ushort)identification);
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), 0);
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), InternetChecksum.Compute(frame.AsSpan(14, 20)));
            }
        }

        return fragments;
    }
}
