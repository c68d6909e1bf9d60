using System.Buffers.Binary;

namespace Dataplane.Native;

/// <summary>One message of netlink(7) being written, and how those of the kernel are read. Numbers are in the machine's order, which is little-endian here.</summary>
internal sealed class NetlinkMessage
{
    private const int HeaderBytes = 16;
    private const int AttributeHeaderBytes = 4;

    /// <summary>The longest that is written here makes a pair of interfaces, with 160 bytes.</summary>
    private readonly byte[] _bytes = new byte[256];
    private int _length = HeaderBytes;

    public NetlinkMessage(ushort type, ushort flags, uint sequence)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(6), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(8), sequence);
    }

    /// <summary>Adds bytes of the fixed part.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>Adds a number of the fixed part.</summary>
    public void Add(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(_length), value);
        _length += sizeof(int);
    }

    /// <summary>Adds an attribute: length, type, value, filled up to a multiple of four.</summary>
    public void AddAttribute(ushort type, ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(_length), (ushort)(AttributeHeaderBytes + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(_length + 2), type);
        value.CopyTo(_bytes.AsSpan(_length + AttributeHeaderBytes));
        _length += Aligned(AttributeHeaderBytes + value.Length);
    }

    /// <summary>Begins an attribute that is made of others.</summary>
    /// <returns>Where it begins, for <see cref="EndAttribute"/>.</returns>
    public int BeginAttribute(ushort type)
    {
        int start = _length;
        AddAttribute(type, []);
        return start;
    }

    /// <summary>Ends an attribute that is made of those added since it was begun.</summary>
    public void EndAttribute(int start) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(start), (ushort)(_length - start));

    /// <summary>The whole message.</summary>
    public ReadOnlySpan<byte> Finish()
    {
        BinaryPrimitives.WriteInt32LittleEndian(_bytes, _length);
        return _bytes.AsSpan(0, _length);
    }

    public static ushort TypeOf(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt16LittleEndian(message[4..]);

    public static uint SequenceOf(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt32LittleEndian(message[8..]);

    /// <summary>What comes behind the header of the first message.</summary>
    public static ReadOnlySpan<byte> BodyOf(ReadOnlySpan<byte> messages) => messages[HeaderBytes..LengthOf(messages)];

    /// <summary>The messages behind the first.</summary>
    public static ReadOnlySpan<byte> Skip(ReadOnlySpan<byte> messages) => messages[Math.Min(messages.Length, Aligned(LengthOf(messages)))..];

    /// <summary>The value of an attribute; empty when there is none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> attributes, ushort type)
    {
        while (attributes.Length >= AttributeHeaderBytes)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(attributes);
            if (length < AttributeHeaderBytes || length > attributes.Length)
                return default;
            if (BinaryPrimitives.ReadUInt16LittleEndian(attributes[2..]) == type)
                return attributes[AttributeHeaderBytes..length];
            attributes = attributes[Math.Min(attributes.Length, Aligned(length))..];
        }

        return default;
    }

    private static int LengthOf(ReadOnlySpan<byte> messages) =>
        Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(messages), HeaderBytes, messages.Length);

    private static int Aligned(int length) => (length + 3) & ~3;
}
