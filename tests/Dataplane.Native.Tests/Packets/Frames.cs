using System.Buffers.Binary;

namespace Dataplane.Native.Tests.Packets;

/// <summary>Builds and verifies frames byte by byte, slowly and without code of the library.</summary>
internal static class Frames
{
    /// <summary>A frame of a local experimental EtherType that carries its number, with bytes that depend on it.</summary>
    public static byte[] Numbered(int number, int length)
    {
        byte[] frame = new byte[length];
        for (int i = 0; i < length; i++)
            frame[i] = (byte)(number + (i * 7));
        ((ReadOnlySpan<byte>)[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xB5]).CopyTo(frame);
        if (length >= 18)
            BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(14), number);
        return frame;
    }

    public static bool IsNumbered(ReadOnlySpan<byte> frame) => frame.Length >= 14 && frame[12] == 0x88 && frame[13] == 0xB5;

    public static int NumberOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32BigEndian(frame[14..]);

    /// <summary>RFC 1071 sum, two bytes at a time.</summary>
    public static int Fold(ReadOnlySpan<byte> bytes, int sum)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += (i & 1) == 0 ? bytes[i] << 8 : bytes[i];
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return sum;
    }

    /// <summary>Decodes an IP frame and checks every length and checksum in it.</summary>
    /// <returns>Null when all is well, or what is wrong.</returns>
    public static string? Verify(ReadOnlySpan<byte> frame, out Decoded decoded)
    {
        decoded = new Decoded { Length = frame.Length };
        int offset = 14;
        int type = BinaryPrimitives.ReadUInt16BigEndian(frame[12..]);
        while (type is 0x8100 or 0x88A8)
        {
            decoded.VlanId = BinaryPrimitives.ReadUInt16BigEndian(frame[offset..]) & 0xFFF;
            type = BinaryPrimitives.ReadUInt16BigEndian(frame[(offset + 2)..]);
            offset += 4;
        }

        ReadOnlySpan<byte> ip = frame[offset..];
        if (type == 0x0800)
            return VerifyIpv4(ip, ref decoded);
        return type == 0x86DD ? VerifyIpv6(ip, ref decoded) : null;
    }

    private static string? VerifyIpv4(ReadOnlySpan<byte> ip, ref Decoded decoded)
    {
        int header = (ip[0] & 0xF) * 4;
        int total = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);
        if (Fold(ip[..header], 0) != 0xFFFF)
            return "IPv4 header checksum";
        if (total > ip.Length || (total < ip.Length && decoded.Length > 60))
            return $"IPv4 total length {total} in {ip.Length}";
        decoded.Identification = BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        decoded.Protocol = ip[9];
        return VerifyTransport(ip[header..total], Fold(ip[12..20], ip[9] + total - header), ref decoded);
    }

    private static string? VerifyIpv6(ReadOnlySpan<byte> ip, ref Decoded decoded)
    {
        int payload = BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        if (payload + 40 > ip.Length)
            return $"IPv6 payload length {payload} in {ip.Length}";
        decoded.Protocol = ip[6];
        return VerifyTransport(ip.Slice(40, payload), Fold(ip[8..40], ip[6] + payload), ref decoded);
    }

    private static string? VerifyTransport(ReadOnlySpan<byte> transport, int pseudo, ref Decoded decoded)
    {
        if (decoded.Protocol == 6)
        {
            int header = (transport[12] >> 4) * 4;
            decoded.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(transport);
            decoded.Sequence = BinaryPrimitives.ReadUInt32BigEndian(transport[4..]);
            decoded.Flags = transport[13];
            decoded.PayloadBytes = transport.Length - header;
            return Fold(transport, pseudo) == 0xFFFF ? null : "TCP checksum";
        }

        if (decoded.Protocol != 17)
            return null;
        decoded.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(transport);
        decoded.PayloadBytes = transport.Length - 8;
        if (BinaryPrimitives.ReadUInt16BigEndian(transport[4..]) != transport.Length)
            return "UDP length";
        bool none = transport[6] == 0 && transport[7] == 0;
        return none || Fold(transport, pseudo) == 0xFFFF ? null : "UDP checksum";
    }

    public record struct Decoded
    {
        public int Length;
        public int VlanId;
        public int Identification;
        public int Protocol;
        public int SourcePort;
        public uint Sequence;
        public int Flags;
        public int PayloadBytes;
    }
}
