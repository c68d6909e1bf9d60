namespace Dataplane.Packets;

/// <content>A built packet cut into fragments.</content>
public sealed partial class PacketBuilder
{
    /// <summary>Builds the packet and cuts its outermost IP layer into fragments (RFC 791 3.2, RFC 8200 4.5).</summary>
    /// <param name="dataBytes">The most bytes of data in one fragment: a multiple of 8, at least 8. The last fragment has what remains.</param>
    /// <param name="identification">Identification of IPv6 fragments; IPv4 fragments keep the one of their header.</param>
    /// <returns>The fragments in order, each a whole frame; one with the packet itself when it fits.</returns>
    /// <remarks>Not copied into later fragments are IPv4 options: the packet must have none.</remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dataBytes"/> is not a positive multiple of 8.</exception>
    /// <exception cref="InvalidOperationException">The packet has no IP layer, IPv4 options, malformed extension headers or is a fragment already.</exception>
    public IReadOnlyList<byte[]> BuildFragments(int dataBytes, uint identification = 1)
    {
        if (dataBytes < 8 || dataBytes % 8 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(dataBytes), dataBytes, "Fragment data is counted in units of 8 bytes: use a positive multiple of 8.");
        }

        byte[] packet = Build();
        int offset = 0;
        foreach (PacketLayer layer in _layers)
        {
            if (layer is PacketLayers.Network)
            {
                break;
            }

            offset += layer.LengthBytes;
        }

        ReadOnlySpan<byte> link = packet.AsSpan(0, Math.Min(offset, packet.Length)), network = packet.AsSpan(link.Length);
        if (Ipv4View.TryParse(network, out Ipv4View v4) && v4.Options.IsEmpty && v4.Fragment == FragmentKind.None)
        {
            return FragmentV4(link, v4, dataBytes);
        }

        if (Ipv6View.TryParse(network, out Ipv6View v6) && Ipv6ExtensionWalker.Walk(v6) is { Error: Ipv6ExtensionError.None, HasFragmentHeader: false })
        {
            return FragmentV6(link, v6, dataBytes, identification);
        }

        throw new InvalidOperationException("Only a whole IP packet can be fragmented: not a fragment, no IPv4 options, sound extension headers.");
    }

    private static List<byte[]> FragmentV4(ReadOnlySpan<byte> link, Ipv4View packet, int dataBytes)
    {
        _ = packet.TryGetFields(out Ipv4Fields fields);
        var fragments = new List<byte[]>();
        for (int at = 0; at == 0 || at < packet.Payload.Length; at += dataBytes)
        {
            ReadOnlySpan<byte> data = packet.Payload[at..Math.Min(at + dataBytes, packet.Payload.Length)];
            byte[] frame = new byte[link.Length + Ipv4Fields.EmittedLength + data.Length];
            link.CopyTo(frame);
            bool more = at + data.Length < packet.Payload.Length;
            Ipv4Fields part = fields with { FragmentOffsetBytes = at, MoreFragments = more, PayloadLengthBytes = data.Length };
            data.CopyTo(frame.AsSpan(link.Length + part.Emit(frame.AsSpan(link.Length))));
            fragments.Add(frame);
        }

        return fragments;
    }

    private static List<byte[]> FragmentV6(ReadOnlySpan<byte> link, Ipv6View packet, int dataBytes, uint identification)
    {
        (int cut, int announcer) = PerFragmentPart(packet);
        ReadOnlySpan<byte> head = packet.Bytes[..cut], body = packet.Bytes[cut..];
        if (body.Length <= dataBytes)
        {
            return [[.. link, .. packet.Bytes]];
        }

        var fragments = new List<byte[]>();
        for (int at = 0; at < body.Length; at += dataBytes)
        {
            ReadOnlySpan<byte> data = body[at..Math.Min(at + dataBytes, body.Length)];
            byte[] frame = new byte[link.Length + head.Length + Ipv6FragmentFields.EmittedLength + data.Length];
            link.CopyTo(frame);
            Span<byte> ip = frame.AsSpan(link.Length);
            head.CopyTo(ip);
            var header = new Ipv6FragmentFields
            {
                NextHeader = head[announcer],
                OffsetBytes = at,
                MoreFragments = at + data.Length < body.Length,
                Identification = identification,
            };
            header.Emit(ip[head.Length..]);
            ip[announcer] = IpProtocols.Fragment;
            data.CopyTo(ip[(head.Length + Ipv6FragmentFields.EmittedLength)..]);
            NetworkOrder.WriteUInt16(ip, Ipv6View.Field.PayloadLength, (ushort)(ip.Length - Ipv6View.HeaderLengthBytes));
            fragments.Add(frame);
        }

        return fragments;
    }

    /// <summary>RFC 8200, 4.5: every fragment repeats the headers up to and including the routing header, or else the hop-by-hop options.</summary>
    /// <returns>Where that part ends, and where its last next-header byte stands.</returns>
    private static (int Cut, int Announcer) PerFragmentPart(Ipv6View packet)
    {
        (int cut, int announcer) = (Ipv6View.HeaderLengthBytes, Ipv6View.Field.NextHeader);
        foreach (Ipv6ExtensionHeader header in packet.Extensions)
        {
            if (header.Protocol is IpProtocols.Routing or IpProtocols.HopByHop)
            {
                (cut, announcer) = (header.Offset + header.Bytes.Length, header.Offset);
            }
        }

        return (cut, announcer);
    }
}
