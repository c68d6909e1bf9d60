using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Rewriting;

/// <summary>Writes IPv4 headers of packets the engine makes itself.</summary>
internal static class Ipv4Writer
{
    private const int HeaderBytes = 20;

    /// <summary>Writes the 20 bytes of a header without options, checksum included; "do not fragment", so that the identification may be 0 (RFC 6864).</summary>
    public static void WriteHeader(Span<byte> target, IpAddress source, IpAddress destination, byte protocol, byte ttl, byte tos, int payloadBytes)
    {
        target[0] = 0x45;
        target[1] = tos;
        BinaryPrimitives.WriteUInt16BigEndian(target[2..], (ushort)(HeaderBytes + payloadBytes));
        BinaryPrimitives.WriteUInt32BigEndian(target[4..], 0x4000);
        target[8] = ttl;
        target[9] = protocol;
        BinaryPrimitives.WriteUInt16BigEndian(target[10..], 0);
        source.Write(target[12..]);
        destination.Write(target[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(target[10..], InternetChecksum.Compute(target[..HeaderBytes]));
    }
}
