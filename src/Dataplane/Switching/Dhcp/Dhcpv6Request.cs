using System.Buffers.Binary;

namespace Dataplane.Switching.Dhcp;

/// <summary>A client's DHCPv6 message, as far as a server has to know it. Reads nothing outside its bytes, whatever they are.</summary>
internal ref struct Dhcpv6Request
{
    private const int AssociationBytes = 12, AddressBytes = 24;

    /// <summary>What is asked (<see cref="Dhcpv6Wire.Kind"/>).</summary>
    public byte Kind { get; private set; }

    /// <summary>The transaction, as on the wire: three bytes.</summary>
    public ReadOnlySpan<byte> Transaction { get; private set; }

    /// <summary>What the client calls itself; empty: it does not say.</summary>
    public ReadOnlySpan<byte> Client { get; private set; }

    /// <summary>The server it has chosen; empty: none.</summary>
    public ReadOnlySpan<byte> Server { get; private set; }

    /// <summary>All options, each of them whole.</summary>
    public ReadOnlySpan<byte> Options { get; private set; }

    /// <summary>Whether it asks for addresses.</summary>
    public bool HasAssociations { get; private set; }

    /// <summary>Reads a message.</summary>
    /// <returns>False when it is cut off, none of a client's, its options make no sense, or they are not those of its kind (RFC 8415 16).</returns>
    public static bool TryParse(ReadOnlySpan<byte> message, out Dhcpv6Request request)
    {
        request = default;
        if (message.Length < Dhcpv6Wire.FixedBytes)
        {
            return false;
        }

        request.Kind = message[0];
        request.Transaction = message[1..Dhcpv6Wire.FixedBytes];
        request.Options = message[Dhcpv6Wire.FixedBytes..];
        return request.ReadOptions(request.Options) && request.HasWhatItsKindNeeds();
    }

    /// <summary>Takes the first option off a row of options.</summary>
    /// <returns>False at the end, or where one is cut off.</returns>
    public static bool TryTake(ref ReadOnlySpan<byte> options, out ushort code, out ReadOnlySpan<byte> value)
    {
        code = 0;
        value = default;
        if (options.Length < Dhcpv6Wire.OptionBytes)
        {
            return false;
        }

        code = BinaryPrimitives.ReadUInt16BigEndian(options);
        int length = BinaryPrimitives.ReadUInt16BigEndian(options[2..]);
        if (length > options.Length - Dhcpv6Wire.OptionBytes)
        {
            return false;
        }

        value = options.Slice(Dhcpv6Wire.OptionBytes, length);
        options = options[(Dhcpv6Wire.OptionBytes + length)..];
        return true;
    }

    /// <summary>Takes the next address that the client names in any of its associations; those behind it are left.</summary>
    /// <param name="association">What is left of the options of an association, behind its <see cref="AssociationOptions"/>.</param>
    /// <param name="address">The address: sixteen bytes.</param>
    public static bool TryTakeAddress(ref ReadOnlySpan<byte> association, out ReadOnlySpan<byte> address)
    {
        while (TryTake(ref association, out ushort code, out ReadOnlySpan<byte> value))
        {
            if (code == Dhcpv6Wire.Option.Address)
            {
                address = value[..16];
                return true;
            }
        }

        address = default;
        return false;
    }

    /// <summary>The options within an association of addresses.</summary>
    public static ReadOnlySpan<byte> AssociationOptions(ReadOnlySpan<byte> association) => association[AssociationBytes..];

    private bool ReadOptions(ReadOnlySpan<byte> rest)
    {
        while (rest.Length > 0)
        {
            int length = rest.Length < Dhcpv6Wire.OptionBytes ? int.MaxValue : BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
            if (length > rest.Length - Dhcpv6Wire.OptionBytes)
            {
                return false;
            }

            ushort code = BinaryPrimitives.ReadUInt16BigEndian(rest);
            ReadOnlySpan<byte> value = rest.Slice(Dhcpv6Wire.OptionBytes, length);
            rest = rest[(Dhcpv6Wire.OptionBytes + length)..];
            switch (code)
            {
                case Dhcpv6Wire.Option.ClientIdentifier when Client.Length == 0 && value.Length is > 2 and <= Dhcpv6Wire.MostIdentifierBytes:
                    Client = value;
                    break;
                case Dhcpv6Wire.Option.ServerIdentifier when Server.Length == 0 && value.Length > 2:
                    Server = value;
                    break;
                case Dhcpv6Wire.Option.Addresses when IsWhole(value):
                    HasAssociations = true;
                    break;
                case Dhcpv6Wire.Option.ClientIdentifier or Dhcpv6Wire.Option.ServerIdentifier or Dhcpv6Wire.Option.Addresses:
                    return false;
                default:
                    break;
            }
        }

        return true;
    }

    private static bool IsWhole(ReadOnlySpan<byte> association)
    {
        if (association.Length < AssociationBytes)
        {
            return false;
        }

        ReadOnlySpan<byte> rest = AssociationOptions(association);
        while (TryTake(ref rest, out ushort code, out ReadOnlySpan<byte> value))
        {
            if (code == Dhcpv6Wire.Option.Address && value.Length < AddressBytes)
            {
                return false;
            }
        }

        return rest.Length == 0;
    }

    /// <summary>RFC 8415 16.2 to 16.12.</summary>
    private readonly bool HasWhatItsKindNeeds() => Kind switch
    {
        Dhcpv6Wire.Kind.Solicit or Dhcpv6Wire.Kind.Confirm or Dhcpv6Wire.Kind.Rebind => Client.Length > 0 && Server.Length == 0,
        Dhcpv6Wire.Kind.Request or Dhcpv6Wire.Kind.Renew or Dhcpv6Wire.Kind.Release or Dhcpv6Wire.Kind.Decline => Client.Length > 0 && Server.Length > 0,
        Dhcpv6Wire.Kind.InformationRequest => !HasAssociations,
        _ => false,
    };
}
