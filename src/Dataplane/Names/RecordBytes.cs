using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Dataplane.Names;

/// <summary>Collects names and resource records on the wire, behind each other. Control side.</summary>
internal sealed class RecordBytes
{
    private readonly List<byte> _bytes = [];

    public int Length => _bytes.Count;

    public void Add(ReadOnlySpan<byte> bytes) => CollectionExtensions.AddRange(_bytes, bytes);

    /// <summary>Adds a record whose owner is a pointer (RFC 1035 4.1.4).</summary>
    public void Record(ushort owner, ushort type, int ttlSeconds, ReadOnlySpan<byte> data)
    {
        byte[] bytes = new byte[2 + DnsWire.RecordFixedBytes];
        Span<byte> head = bytes;
        BinaryPrimitives.WriteUInt16BigEndian(head, owner);
        BinaryPrimitives.WriteUInt16BigEndian(head[2..], type);
        BinaryPrimitives.WriteUInt16BigEndian(head[4..], DnsWire.ClassIn);
        BinaryPrimitives.WriteInt32BigEndian(head[6..], ttlSeconds);
        BinaryPrimitives.WriteUInt16BigEndian(head[10..], (ushort)data.Length);
        Add(head);
        Add(data);
    }

    public byte[] Slice(int start, int length) => CollectionsMarshal.AsSpan(_bytes).Slice(start, length).ToArray();

    public byte[] ToArray() => [.. _bytes];
}
