namespace Dataplane.Packets;

/// <summary>What the neighbour discovery views and fields share (RFC 4861, 4).</summary>
internal static class NdMessage
{
    /// <summary>Offset of the target address in solicitations, advertisements and redirects.</summary>
    public const int Target = 8;

    /// <summary>Whether these are the bytes of a message of the type: code 0, its fixed part whole, its options well-formed.</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> message, byte type, int fixedBytes) =>
        message.Length >= fixedBytes && message[Icmpv6View.Field.Type] == type && message[Icmpv6View.Field.Code] == 0
        && NdOptionEnumerator.AreWellFormed(message[fixedBytes..]);

    /// <summary>Bytes a link-layer address option takes, or none.</summary>
    public static int LinkLayerBytes(MacAddress? address) => address is null ? 0 : NdOption.UnitBytes;

    /// <summary>Writes a link-layer address option, if there is an address, and returns the room behind it.</summary>
    public static Span<byte> EmitLinkLayer(Span<byte> target, byte kind, MacAddress? address)
    {
        if (address is not { } mac)
        {
            return target;
        }

        target[0] = kind;
        target[1] = 1;
        mac.Write(target[2..]);
        return target[NdOption.UnitBytes..];
    }

    /// <summary>Writes type, code 0 and the checksum of a message whose rest already stands there.</summary>
    public static int Complete(Span<byte> message, byte type, uint rest, IpAddress source, IpAddress destination)
    {
        new Icmpv6Fields { Type = type, RestOfHeader = rest }.Emit(message, source, destination);
        return message.Length;
    }
}
