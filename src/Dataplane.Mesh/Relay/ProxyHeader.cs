using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Text;

namespace Dataplane.Mesh.Relay;

/// <summary>The header of the PROXY protocol, version 2 (section 2.2 of its specification): who a relayed connection comes from.</summary>
/// <param name="Source">Where the client is; null when the sender speaks for itself (LOCAL) or the client is not on IP.</param>
/// <param name="Destination">What the connection was meant for; null with <paramref name="Source"/>.</param>
/// <param name="Authority">The name that the client asked for (PP2_TYPE_AUTHORITY); may be empty.</param>
/// <param name="Identity">The client's SPIFFE identity, in the type that the specification leaves to applications; may be empty.</param>
internal sealed record ProxyHeader(IPEndPoint? Source, IPEndPoint? Destination, string Authority = "", string Identity = "")
{
    /// <summary>Bytes before the addresses.</summary>
    internal const int FixedBytes = 16;

    /// <summary>Bytes of a header at most: one of more has no use that is known.</summary>
    internal const int MaxBytes = FixedBytes + 4096;

    /// <summary>The type of the SPIFFE identity: the second of those for applications (0xE0 to 0xEF).</summary>
    internal const byte IdentityType = 0xE1;

    private const int AuthorityType = 0x02, ChecksumType = 0x03, V4Bytes = 12, V6Bytes = 36, UnixBytes = 216, ChecksumBytes = 4;
    private const int Version2Local = 0x20, Version2Proxy = 0x21, Tcp4 = 0x11, Tcp6 = 0x21;

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>Bytes of the whole header by its first 16; -1 when they begin none.</summary>
    internal static int LengthOf(ReadOnlySpan<byte> start)
    {
        if (!start[..Signature.Length].SequenceEqual(Signature) || start[12] is not (Version2Local or Version2Proxy))
            return -1;
        int length = FixedBytes + BinaryPrimitives.ReadUInt16BigEndian(start[14..]);
        return length <= MaxBytes ? length : -1;
    }

    /// <summary>Reads a header. Never throws.</summary>
    /// <param name="bytes">The first bytes of a connection.</param>
    /// <param name="header">The header, when it is whole.</param>
    /// <param name="consumed">Its length in bytes, when it is whole.</param>
    internal static ProxyVerdict Parse(ReadOnlySpan<byte> bytes, out ProxyHeader header, out int consumed)
    {
        header = new ProxyHeader(null, null);
        consumed = 0;
        int compared = Math.Min(bytes.Length, Signature.Length);
        if (!bytes[..compared].SequenceEqual(Signature[..compared]))
            return ProxyVerdict.Invalid;
        if (bytes.Length < FixedBytes)
            return ProxyVerdict.Incomplete;
        int length = LengthOf(bytes);
        if (length < 0)
            return ProxyVerdict.Invalid;
        if (bytes.Length < length)
            return ProxyVerdict.Incomplete;
        consumed = length;
        bytes = bytes[..length];
        if (!TryAddresses(bytes, out IPEndPoint? source, out IPEndPoint? destination, out int at)
            || !TryValues(bytes, at, out string authority, out string identity))
            return ProxyVerdict.Invalid;

        // LOCAL: a health check of the proxy itself; what is in the header means nothing then.
        if (bytes[12] == Version2Proxy)
            header = new ProxyHeader(source, destination, authority, identity);
        return ProxyVerdict.Whole;
    }

    /// <summary>Writes the header.</summary>
    internal byte[] ToBytes()
    {
        if (Source is null || Destination is null)
            return [.. Signature, Version2Local, 0, 0, 0];
        bool isIpv4 = IsIpv4(Source.Address) && IsIpv4(Destination.Address);
        using var body = new MemoryStream();
        Write(body, isIpv4, Source.Address);
        Write(body, isIpv4, Destination.Address);
        WriteUInt16(body, Source.Port);
        WriteUInt16(body, Destination.Port);
        WriteValue(body, AuthorityType, Authority);
        WriteValue(body, IdentityType, Identity);
        int length = (int)body.Length;
        return [.. Signature, Version2Proxy, (byte)(isIpv4 ? Tcp4 : Tcp6), (byte)(length >> 8), (byte)length, .. body.ToArray()];
    }

    private static bool TryAddresses(ReadOnlySpan<byte> bytes, out IPEndPoint? source, out IPEndPoint? destination, out int end)
    {
        source = destination = null;
        ReadOnlySpan<byte> at = bytes[FixedBytes..];
        end = FixedBytes + (bytes[13] >> 4) switch { 0 => 0, 1 => V4Bytes, 2 => V6Bytes, 3 => UnixBytes, _ => int.MaxValue - FixedBytes };
        if (end > bytes.Length || (bytes[13] & 0xF) > 2)
            return false;
        if (bytes[13] is Tcp4 or Tcp6)
        {
            int size = bytes[13] == Tcp4 ? 4 : 16;
            source = new IPEndPoint(new IPAddress(at[..size]), BinaryPrimitives.ReadUInt16BigEndian(at[(2 * size)..]));
            destination = new IPEndPoint(new IPAddress(at[size..(2 * size)]), BinaryPrimitives.ReadUInt16BigEndian(at[(2 * size + 2)..]));
        }

        return true;
    }

    private static bool TryValues(ReadOnlySpan<byte> bytes, int at, out string authority, out string identity)
    {
        authority = identity = "";
        while (at < bytes.Length)
        {
            if (bytes.Length - at < 3)
                return false;
            int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 1)..]), start = at + 3;
            if (bytes.Length - start < length)
                return false;
            ReadOnlySpan<byte> value = bytes.Slice(start, length);
            switch (bytes[at])
            {
                case AuthorityType:
                    authority = Encoding.UTF8.GetString(value);
                    break;
                case IdentityType:
                    identity = Encoding.UTF8.GetString(value);
                    break;
                case ChecksumType when length != ChecksumBytes || BinaryPrimitives.ReadUInt32BigEndian(value) != Checksum(bytes, start):
                    return false;
            }

            at = start + length;
        }

        return true;
    }

    /// <summary>CRC32C of the header with zeros in place of the checksum (section 2.2.3).</summary>
    internal static uint Checksum(ReadOnlySpan<byte> header, int at)
    {
        uint crc = uint.MaxValue;
        for (int i = 0; i < header.Length; i++)
            crc = BitOperations.Crc32C(crc, i >= at && i < at + ChecksumBytes ? (byte)0 : header[i]);
        return ~crc;
    }

    private static bool IsIpv4(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork || address.IsIPv4MappedToIPv6;

    private static void Write(MemoryStream body, bool isIpv4, IPAddress address) =>
        body.Write((isIpv4 ? address.MapToIPv4() : address.MapToIPv6()).GetAddressBytes());

    private static void WriteUInt16(MemoryStream body, int value)
    {
        body.WriteByte((byte)(value >> 8));
        body.WriteByte((byte)value);
    }

    private static void WriteValue(MemoryStream body, int type, string value)
    {
        if (value.Length == 0)
            return;
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        body.WriteByte((byte)type);
        WriteUInt16(body, bytes.Length);
        body.Write(bytes);
    }
}
