using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>Collects names and resource records on the wire, behind each other. Control side; what is there is never changed.</summary>
internal sealed class RecordBytes
{
    private byte[] _bytes = new byte[256];

    public int Length { get; private set; }

    /// <summary>All bytes, with room behind them that later ones will take unless there are too many.</summary>
    public byte[] Array => _bytes;

    public void Add(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    /// <summary>Adds a record whose owner is a pointer (RFC 1035 4.1.4).</summary>
    public void Record(ushort owner, ushort type, int ttlSeconds, ReadOnlySpan<byte> data)
    {
        Span<byte> head = Take(2 + DnsWire.RecordFixedBytes);
        BinaryPrimitives.WriteUInt16BigEndian(head, owner);
        BinaryPrimitives.WriteUInt16BigEndian(head[2..], type);
        BinaryPrimitives.WriteUInt16BigEndian(head[4..], DnsWire.ClassIn);
        BinaryPrimitives.WriteInt32BigEndian(head[6..], ttlSeconds);
        BinaryPrimitives.WriteUInt16BigEndian(head[10..], (ushort)data.Length);
        Add(data);
    }

    public ReadOnlySpan<byte> Span(int start, int length) => _bytes.AsSpan(start, length);

    private Span<byte> Take(int length)
    {
        if (Length + length > _bytes.Length)
        {
            System.Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + length));
        }

        Length += length;
        return _bytes.AsSpan(Length - length, length);
    }
}
