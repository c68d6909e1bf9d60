using System.Buffers;
using System.Text;

namespace Dataplane.Mesh.Xds;

/// <summary>Writes the fields of one protocol buffers message. What has its default, such as an empty text, is left out, as proto3 does.</summary>
internal sealed class ProtobufWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>The message so far.</summary>
    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    /// <summary>Writes a number or a flag.</summary>
    public ProtobufWriter Number(int field, ulong value)
    {
        if (value != 0)
        {
            Varint((ulong)field << 3);
            Varint(value);
        }

        return this;
    }

    /// <summary>Writes a text.</summary>
    public ProtobufWriter Text(int field, string value) => value.Length > 0 ? Bytes(field, Encoding.UTF8.GetBytes(value)) : this;

    /// <summary>Writes texts of one field, empty ones too.</summary>
    public ProtobufWriter Texts(int field, IEnumerable<string> values)
    {
        foreach (string value in values)
        {
            Bytes(field, Encoding.UTF8.GetBytes(value));
        }

        return this;
    }

    /// <summary>Writes a message, also one that is empty: that it is there may mean something.</summary>
    public ProtobufWriter Message(int field, ProtobufWriter message) => Bytes(field, message.Written);

    /// <summary>Writes bytes.</summary>
    public ProtobufWriter Bytes(int field, ReadOnlySpan<byte> value)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)value.Length);
        _bytes.Write(value);
        return this;
    }

    private void Varint(ulong value)
    {
        Span<byte> bytes = _bytes.GetSpan(10);
        int length = 0;
        for (; value >= 0x80; value >>= 7)
        {
            bytes[length++] = (byte)(value | 0x80);
        }

        bytes[length++] = (byte)value;
        _bytes.Advance(length);
    }
}
