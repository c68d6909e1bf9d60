using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Tracking;

/// <summary>What tracking looks at of a TCP segment.</summary>
internal struct TcpSegment
{
    private const byte EndOfOptions = 0, NoOperation = 1, WindowScale = 3;

    /// <summary>Largest shift of a window (RFC 7323 2.3).</summary>
    private const byte MaxScale = 14;

    /// <summary>Sequence number of the first byte, or of the SYN.</summary>
    public uint Sequence;

    /// <summary>Sequence number behind the last byte, SYN and FIN counted.</summary>
    public uint End;

    /// <summary>Means nothing without ACK.</summary>
    public uint Acknowledgment;

    /// <summary>As in the header, not scaled.</summary>
    public ushort Window;

    public byte Flags;

    /// <summary>Shift of the window option of a SYN.</summary>
    public byte Scale;

    /// <summary>Whether it is a SYN with a window option.</summary>
    public bool HasScale;

    public readonly bool IsSyn => (Flags & (byte)TcpFlags.Syn) != 0;

    public readonly bool IsAck => (Flags & (byte)TcpFlags.Ack) != 0;

    public readonly bool IsFin => (Flags & (byte)TcpFlags.Fin) != 0;

    public readonly bool IsRst => (Flags & (byte)TcpFlags.Rst) != 0;

    /// <summary>Reads a segment that the parser has found to be sound.</summary>
    /// <param name="transport">From the TCP header to the end of the packet.</param>
    public static TcpSegment Read(ReadOnlySpan<byte> transport)
    {
        ReadOnlySpan<byte> header = transport[..20];
        int length = (header[12] >> 4) << 2;
        var segment = new TcpSegment
        {
            Sequence = BinaryPrimitives.ReadUInt32BigEndian(header[4..]),
            Acknowledgment = BinaryPrimitives.ReadUInt32BigEndian(header[8..]),
            Window = BinaryPrimitives.ReadUInt16BigEndian(header[14..]),
            Flags = header[13],
        };
        uint counted = (uint)(transport.Length - length) + (uint)(segment.Flags & (byte)TcpFlags.Fin);
        if (segment.IsSyn)
        {
            counted++;
            ReadScale(transport[20..length], ref segment);
        }

        segment.End = segment.Sequence + counted;
        return segment;
    }

    private static void ReadScale(ReadOnlySpan<byte> options, ref TcpSegment segment)
    {
        while (!options.IsEmpty && options[0] != EndOfOptions)
        {
            int length = options[0] == NoOperation ? 1 : options.Length > 1 ? options[1] : 0;
            if (length == 0 || length > options.Length || (length < 2 && options[0] != NoOperation))
            {
                return;
            }

            if (options[0] == WindowScale && length == 3)
            {
                (segment.HasScale, segment.Scale) = (true, Math.Min(options[2], MaxScale));
            }

            options = options[length..];
        }
    }
}
