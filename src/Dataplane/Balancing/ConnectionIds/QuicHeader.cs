using System.Buffers.Binary;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>Finds the destination connection ID in the first QUIC packet of a datagram from a client (RFC 8999, 5; RFC 9000, 17; RFC 9369, 3.2).</summary>
internal static class QuicHeader
{
    private const uint Version1 = 1, Version2 = 0x6B3343CF;

    /// <summary>The drafts before version 1 have its packet types.</summary>
    private const uint Drafts = 0xFF000000;

    private const int LongIdOffset = 6;

    /// <summary>Finds it.</summary>
    /// <param name="datagram">What is in the UDP datagram; any bytes.</param>
    /// <param name="takesAnyVersion">Whether versions that are not known have the packet types of version 1.</param>
    /// <param name="id">Of a long header the connection ID, of a short one all that is behind the first byte: its length is nowhere said.</param>
    /// <param name="isLong">Whether it is a long header.</param>
    /// <returns><see cref="ConnectionIdOutcome.Routed"/> when the ID is a server's, which its bytes are to be asked for.</returns>
    public static ConnectionIdOutcome Read(ReadOnlySpan<byte> datagram, bool takesAnyVersion, out ReadOnlySpan<byte> id, out bool isLong)
    {
        id = default;
        isLong = !datagram.IsEmpty && (datagram[0] & 0x80) != 0;
        if (!isLong)
        {
            id = datagram.IsEmpty ? default : datagram[1..];
            return id.IsEmpty ? ConnectionIdOutcome.WrongLength : ConnectionIdOutcome.Routed;
        }

        if (datagram.Length < LongIdOffset)
        {
            return ConnectionIdOutcome.WrongLength;
        }

        ConnectionIdOutcome outcome = TypeOf(datagram[0], BinaryPrimitives.ReadUInt32BigEndian(datagram[1..]), takesAnyVersion);
        int length = datagram[LongIdOffset - 1];
        if (outcome == ConnectionIdOutcome.Routed && datagram.Length - LongIdOffset < length)
        {
            return ConnectionIdOutcome.WrongLength;
        }

        id = outcome == ConnectionIdOutcome.Routed ? datagram.Slice(LongIdOffset, length) : default;
        return outcome;
    }

    /// <summary>Of what clients send with long headers, only Handshake packets certainly have the server's connection ID. Version 0 is version negotiation, which servers send.</summary>
    private static ConnectionIdOutcome TypeOf(byte first, uint version, bool takesAnyVersion)
    {
        int type = first >> 4 & 3;
        if (version == Version2)
        {
            // RFC 9369 has Retry 0, Initial 1, 0-RTT 2, Handshake 3.
            type = type == 0 ? 3 : type - 1;
        }
        else if (version == 0 || (version != Version1 && (version & 0xFFFFFF00) != Drafts && !takesAnyVersion))
        {
            return ConnectionIdOutcome.UnknownType;
        }

        return type switch
        {
            0 or 1 => ConnectionIdOutcome.ClientChosen,
            2 => ConnectionIdOutcome.Routed,
            _ => ConnectionIdOutcome.UnknownType,
        };
    }
}
