using System.Text;

namespace Dataplane.Mesh.Xds;

/// <summary>Reads the fields of one protocol buffers message (protobuf.dev/programming-guides/encoding), in whatever order they come.</summary>
/// <remarks>Fields that nobody asks for are passed over, so that a newer sender is understood. Whatever cannot be is an <see cref="InvalidDataException"/>.</remarks>
internal ref struct ProtobufReader
{
    private const int MaxVarintBytes = 10;

    private static readonly UTF8Encoding s_text = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private ReadOnlySpan<byte> _rest;
    private int _wire;

    /// <summary>Reads a message.</summary>
    public ProtobufReader(ReadOnlySpan<byte> message)
    {
        _rest = message;
        _wire = -1;
    }

    /// <summary>Number of the field that the reader is at.</summary>
    public int Field { get; private set; }

    /// <summary>Goes to the next field; what was not read of the one before is passed over.</summary>
    /// <returns>False at the end of the message.</returns>
    public bool Next()
    {
        Skip();
        if (_rest.IsEmpty)
        {
            return false;
        }

        ulong tag = Varint();
        (Field, _wire) = tag >> 3 is > 0 and <= int.MaxValue >> 2 ? ((int)(tag >> 3), (int)(tag & 7)) : throw new InvalidDataException($"{tag} is no field of a message");
        return true;
    }

    /// <summary>Reads a number or a flag.</summary>
    public ulong Number()
    {
        Expect(0);
        return Varint();
    }

    /// <summary>Reads a number that is wrapped in a message, as <c>google.protobuf.UInt32Value</c>.</summary>
    public ulong WrappedNumber()
    {
        var wrapped = new ProtobufReader(Bytes());
        ulong value = 0;
        while (wrapped.Next())
        {
            value = wrapped.Field == 1 ? wrapped.Number() : value;
        }

        return value;
    }

    /// <summary>Reads bytes, or a message.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        Expect(2);
        return Take(Varint());
    }

    /// <summary>Reads a text.</summary>
    public string Text()
    {
        try
        {
            return s_text.GetString(Bytes());
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidDataException($"field {Field} is no text in UTF-8");
        }
    }

    private void Expect(int wire)
    {
        int found = _wire;
        _wire = -1;
        if (found != wire)
        {
            throw new InvalidDataException($"field {Field} has wire type {found} and not {wire}");
        }
    }

    private void Skip()
    {
        switch (_wire)
        {
            case -1:
                break;
            case 0:
                Varint();
                break;
            case 1:
                Take(8);
                break;
            case 2:
                Take(Varint());
                break;
            case 5:
                Take(4);
                break;
            default:
                throw new InvalidDataException($"field {Field} has wire type {_wire}, which messages of today do not have");
        }

        _wire = -1;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int i = 0; i < MaxVarintBytes; i++)
        {
            if (i >= _rest.Length)
            {
                throw new InvalidDataException("the message ends within a number");
            }

            value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
            if (_rest[i] < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        throw new InvalidDataException("a number has more than 64 bits");
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length)
        {
            throw new InvalidDataException($"the message ends within a field of {length} bytes");
        }

        ReadOnlySpan<byte> taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }
}
