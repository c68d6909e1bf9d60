using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Rewriting;

/// <summary>Writes IPv6 headers of packets the engine makes itself.</summary>
internal static class Ipv6Writer
{
    /// <summary>Writes the 40 bytes of a header without extension headers (RFC 8200 3).</summary>
    public static void WriteHeader(Span<byte> target, IpAddress source, IpAddress destination, byte protocol, byte hopLimit, int payloadBytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(target, 0x6000_0000);
        BinaryPrimitives.WriteUInt16BigEndian(target[4..], (ushort)payloadBytes);
        target[6] = protocol;
        target[7] = hopLimit;
        source.Write(target[8..]);
        destination.Write(target[24..]);
    }
}
