using System.Buffers.Binary;

namespace Dataplane.Switching.Dhcp;

/// <summary>A client's message, as far as a server has to know it. Reads nothing outside its bytes, whatever they are.</summary>
internal ref struct DhcpRequest
{
    private const byte FileHoldsOptions = 1, NameHoldsOptions = 2;

    private byte _overload;

    /// <summary>What is asked (<see cref="DhcpWire.Kind"/>).</summary>
    public byte Kind { get; private set; }

    /// <summary>The transaction, as on the wire.</summary>
    public ReadOnlySpan<byte> Transaction { get; private set; }

    public ushort Flags { get; private set; }

    /// <summary>The address the client has and uses; 0: none.</summary>
    public uint Client { get; private set; }

    /// <summary>The client's hardware address.</summary>
    public ulong Mac { get; private set; }

    /// <summary>The address it wants; null: it does not say.</summary>
    public uint? Requested { get; private set; }

    /// <summary>The server it has chosen; null: none.</summary>
    public uint? Server { get; private set; }

    /// <summary>What it calls itself; a server must say it back (RFC 6842).</summary>
    public ReadOnlySpan<byte> Identifier { get; private set; }

    /// <summary>Reads a message.</summary>
    /// <returns>False when it is cut off, no request of an Ethernet host without a relay, or its options make no sense.</returns>
    public static bool TryParse(ReadOnlySpan<byte> message, out DhcpRequest request)
    {
        request = default;
        if (message.Length < DhcpWire.FixedBytes || message[DhcpWire.Field.Operation] != DhcpWire.Request || message[DhcpWire.Field.HardwareType] != DhcpWire.Ethernet
            || message[DhcpWire.Field.HardwareLength] != DhcpWire.MacBytes || BinaryPrimitives.ReadUInt32BigEndian(message[DhcpWire.Field.Relay..]) != 0
            || BinaryPrimitives.ReadUInt32BigEndian(message[DhcpWire.Field.Cookie..]) != DhcpWire.Cookie)
        {
            return false;
        }

        request.Transaction = message.Slice(DhcpWire.Field.Transaction, 4);
        request.Flags = BinaryPrimitives.ReadUInt16BigEndian(message[DhcpWire.Field.Flags..]);
        request.Client = BinaryPrimitives.ReadUInt32BigEndian(message[DhcpWire.Field.Client..]);
        request.Mac = BinaryPrimitives.ReadUInt64BigEndian(message[DhcpWire.Field.Mac..]) >> 16;

        // RFC 2131 4.1: options go on in the file name, then in the server name, if the first of the three says so.
        return request.ReadOptions(message[DhcpWire.FixedBytes..])
            && ((request._overload & FileHoldsOptions) == 0 || request.ReadOptions(message[DhcpWire.Field.File..DhcpWire.Field.Cookie]))
            && ((request._overload & NameHoldsOptions) == 0 || request.ReadOptions(message[DhcpWire.Field.ServerName..DhcpWire.Field.File]))
            && request.Kind is >= DhcpWire.Kind.Discover and <= DhcpWire.Kind.Inform;
    }

    private bool ReadOptions(ReadOnlySpan<byte> options)
    {
        while (options.Length > 0 && options[0] != DhcpWire.Option.End)
        {
            if (options[0] == DhcpWire.Option.Pad)
            {
                options = options[1..];
                continue;
            }

            if (options.Length < 2 || options.Length < 2 + options[1] || !TryTake(options[0], options.Slice(2, options[1])))
            {
                return false;
            }

            options = options[(2 + options[1])..];
        }

        return true;
    }

    private bool TryTake(byte option, ReadOnlySpan<byte> value)
    {
        switch (option)
        {
            case DhcpWire.Option.Kind when value.Length == 1:
                Kind = value[0];
                return true;
            case DhcpWire.Option.Overload when value.Length == 1:
                _overload = value[0];
                return true;
            case DhcpWire.Option.Requested when value.Length == 4:
                Requested = BinaryPrimitives.ReadUInt32BigEndian(value);
                return true;
            case DhcpWire.Option.Server when value.Length == 4:
                Server = BinaryPrimitives.ReadUInt32BigEndian(value);
                return true;
            case DhcpWire.Option.ClientIdentifier:
                Identifier = value;
                return value.Length <= DhcpOffer.MostIdentifierBytes;
            default:
                return option is not (DhcpWire.Option.Kind or DhcpWire.Option.Overload or DhcpWire.Option.Requested or DhcpWire.Option.Server);
        }
    }
}
