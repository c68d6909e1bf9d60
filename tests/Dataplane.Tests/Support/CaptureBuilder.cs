using System.Buffers.Binary;
using Dataplane.Ports;

namespace Dataplane.Tests.Support;

/// <summary>Writes capture files as the specifications describe them, right and wrong ones, in either byte order.</summary>
/// <remarks>Independent of the reader and the writer under test: fields are put down one by one.</remarks>
internal sealed class CaptureBuilder(bool bigEndian = false)
{
    private readonly List<byte> _bytes = [];

    /// <summary>The byte order of what is added from now on.</summary>
    internal bool BigEndian { get; set; } = bigEndian;

    /// <summary>Bytes so far.</summary>
    internal int Length => _bytes.Count;

    internal byte[] ToArray() => [.. _bytes];

    internal CaptureBuilder Bytes(params ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    internal CaptureBuilder U16(int value)
    {
        Span<byte> bytes = stackalloc byte[2];
        if (BigEndian)
            BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)value);
        else
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)value);
        return Bytes(bytes);
    }

    internal CaptureBuilder U32(long value)
    {
        Span<byte> bytes = stackalloc byte[4];
        if (BigEndian)
            BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)value);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)value);
        return Bytes(bytes);
    }

    internal CaptureBuilder U64(ulong value) =>
        BigEndian ? U32((long)(value >> 32)).U32((long)(value & uint.MaxValue)) : U32((long)(value & uint.MaxValue)).U32((long)(value >> 32));

    // ---- Classic pcap ----

    internal CaptureBuilder FileHeader(uint magic = 0xA1B2_C3D4, uint network = 1, int major = 2, int minor = 4) =>
        U32(magic).U16(major).U16(minor).U32(0).U32(0).U32(65_535).U32(network);

    internal CaptureBuilder Record(uint seconds, uint fraction, byte[] frame, long originalBytes = -1, long capturedBytes = -1) =>
        U32(seconds).U32(fraction).U32(capturedBytes < 0 ? frame.Length : capturedBytes).U32(originalBytes < 0 ? frame.Length : originalBytes).Bytes(frame);

    // ---- pcapng ----

    /// <summary>A block around a body, with right lengths.</summary>
    internal CaptureBuilder Block(uint type, Action<CaptureBuilder> write)
    {
        var body = new CaptureBuilder(BigEndian);
        write(body);
        while (body.Length % 4 != 0)
            body.Bytes(0);
        int length = body.Length + 12;
        return U32(type).U32(length).Bytes(body.ToArray()).U32(length);
    }

    internal CaptureBuilder Section(int major = 1) => Block(0x0A0D_0D0A, body => body.U32(0x1A2B_3C4D).U16(major).U16(0).U64(ulong.MaxValue));

    internal CaptureBuilder Interface(int linkType = 1, uint snapLength = 0, Action<CaptureBuilder>? options = null) =>
        Block(1, body =>
        {
            body.U16(linkType).U16(0).U32(snapLength);
            options?.Invoke(body);
        });

    internal CaptureBuilder Option(int code, params byte[] value)
    {
        U16(code).U16(value.Length).Bytes(value);
        while (_bytes.Count % 4 != 0)
            _bytes.Add(0);
        return this;
    }

    internal CaptureBuilder Enhanced(uint number, ulong time, byte[] frame, long originalBytes = -1, long capturedBytes = -1) =>
        Block(6, body => body.U32(number).U32((long)(time >> 32)).U32((long)(time & uint.MaxValue))
            .U32(capturedBytes < 0 ? frame.Length : capturedBytes).U32(originalBytes < 0 ? frame.Length : originalBytes).Bytes(frame));

    internal CaptureBuilder Obsolete(int number, ulong time, byte[] frame) =>
        Block(2, body => body.U16(number).U16(0xFFFF).U32((long)(time >> 32)).U32((long)(time & uint.MaxValue)).U32(frame.Length).U32(frame.Length).Bytes(frame));

    internal CaptureBuilder Simple(byte[] frame, long originalBytes = -1) =>
        Block(3, body => body.U32(originalBytes < 0 ? frame.Length : originalBytes).Bytes(frame));

    // ---- Reading back ----

    /// <summary>All frames of a capture, copied.</summary>
    internal static List<(long TimestampNs, byte[] Bytes, int OriginalBytes, int Interface)> Read(byte[] capture)
    {
        using var reader = new CaptureFileReader(new MemoryStream(capture));
        var frames = new List<(long, byte[], int, int)>();
        while (reader.Read())
        {
            CapturedFrame frame = reader.Current;
            frames.Add((frame.TimestampNs, frame.Bytes.ToArray(), frame.OriginalLengthBytes, frame.Interface));
        }

        return frames;
    }
}
