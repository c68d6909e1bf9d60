using System.Buffers.Binary;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Nat64;

/// <summary>ICMP errors between the families, translated with the packets they quote (RFC 7915 4.2, 4.3, 5.2 and 5.3).</summary>
/// <remarks>The transport header that is quoted stays in its place; all headers before it are written anew. What else a message has behind the quotation (RFC 4884) is left out.
/// An ICMPv4 error of a router comes from the router's address behind the prefix, so that traceroute shows it; an ICMPv6 error of one comes from the pool's address.</remarks>
internal static class FamilyErrors
{
    private const int IcmpHeader = 8, MaxV4Bytes = 576, MaxV6Bytes = SpecLimits.MinIpv6Mtu, LinkRoom = 20;
    private const ushort DontFragment = 0x4000, MoreFragments = 0x2000;

    /// <summary>Translates an error whose checksum is right; drops it if there is none like it in the other family. Parsed again, it is routed as what it is then.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="entry">The direction of the flow that the error takes.</param>
    /// <param name="inner">What it quotes.</param>
    public static void Translate(WorkerContext context, PacketBatch batch, int i, in FlowEntry entry, in QuotedPacket inner)
    {
        IpAddress source = SourceOf(context, batch.Parsed[i].Key.Source, in entry, toV6: batch.Parsed[i].Headers.IpVersion == 4);
        Translate(context, batch, i, in inner,
            new ErrorAddresses(source, entry.NewDestination, entry.NewDestination, entry.NewSource, (ushort)entry.NewPorts, (ushort)(entry.NewPorts >> 16)));
    }

    /// <summary>The same, by addresses that are known.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="inner">What it quotes.</param>
    /// <param name="to">Whose addresses it and the quoted packet have in the other family.</param>
    public static void Translate(WorkerContext context, PacketBatch batch, int i, in QuotedPacket inner, in ErrorAddresses to)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool toV6 = headers.IpVersion == 4;
        Span<byte> message = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        int maxMtu = MaxMtu(context, batch, i, to.Destination);
        if (!(toV6 ? IcmpFamilies.TryToV6(message, maxMtu, out IcmpError error) : IcmpFamilies.TryToV4(message, maxMtu, out error)))
        {
            batch.Drop(i, DropReason.NatUnsupported);
            return;
        }

        (IpAddress source, IpAddress destination) = (to.Source, to.Destination);
        int quotedBytes = QuotedBytes(message, toV6);
        Span<byte> quoted = message.Slice(IcmpHeader, quotedBytes);
        Span<byte> header = stackalloc byte[OtherFamily.V6Header + OtherFamily.FragmentHeader];
        header = header[..WriteQuotedHeader(quoted, in inner, in to, header)];
        if (inner.Key.Protocol is IpProtocols.Tcp or IpProtocols.Udp or IpProtocols.Icmp or IpProtocols.Icmpv6)
        {
            inner.RewriteTransport(quoted, to.InnerSource, to.InnerSourcePort, to.InnerDestination, to.InnerDestinationPort);
        }

        // In this order: where the new headers stand, the old ones stood.
        int outer = toV6 ? OtherFamily.V6Header : OtherFamily.V4Header, before = IcmpHeader + header.Length;
        int transport = batch.Offsets[i] + headers.TransportOffset + IcmpHeader + inner.TransportAt;
        int rest = Math.Min(quotedBytes - inner.TransportAt, (toV6 ? MaxV6Bytes : MaxV4Bytes) - outer - before);
        (byte tos, byte ttl) = (headers.Tos, headers.Ttl);
        FamilyTranslation.ReplaceHeader(batch, i, transport - before, outer);
        Span<byte> packet = batch.Frame(i)[headers.NetworkOffset..][..(outer + before + rest)];
        batch.Lengths[i] = headers.NetworkOffset + packet.Length;
        Span<byte> made = packet[outer..];
        header.CopyTo(made[IcmpHeader..]);
        WriteMessage(made, in error, toV6 ? InternetChecksum.PseudoHeader(source, destination, IpProtocols.Icmpv6, (uint)made.Length) : 0);
        if (toV6)
        {
            Rewriting.Ipv6Writer.WriteHeader(packet, source, destination, IpProtocols.Icmpv6, ttl, made.Length);
            BinaryPrimitives.WriteUInt32BigEndian(packet, 0x6000_0000 | ((uint)tos << 20));
        }
        else
        {
            Rewriting.Ipv4Writer.WriteHeader(packet, source, destination, IpProtocols.Icmp, ttl, tos, made.Length);
            SetFragment(packet, context.NextIdentification(), 0);
        }

        PacketParser.ProcessOne(batch, i, context.Hash);
    }

    /// <summary>The longest packet that the links on both sides carry, as the other family counts it.</summary>
    private static int MaxMtu(WorkerContext context, PacketBatch batch, int i, IpAddress destination)
    {
        ForwardingTables tables = context.Tables;
        int more = destination.IsIpv6 ? LinkRoom : -LinkRoom;
        int mtu = batch.InInterfaces[i] is >= 0 and short came ? tables.Interfaces[came].Mtu + more : int.MaxValue;
        short? way = Nat64Stage.WayTo(tables, tables.Lookup(destination), destination, batch.Parsed[i].Hash);
        return way is { } leaves ? Math.Min(mtu, tables.Interfaces[leaves].Mtu) : mtu;
    }

    private static IpAddress SourceOf(WorkerContext context, IpAddress source, in FlowEntry entry, bool toV6)
    {
        if (!toV6 || source == entry.Key.Source || context.Tables.Nat.SpecOf(entry.Backend).Nat64 is not { } prefix)
        {
            return entry.NewSource;
        }

        // A router whose address must not stand behind the prefix: what it says is worth more than who it is.
        return EmbeddedAddress.MayEmbed(prefix, source) ? EmbeddedAddress.Embed(prefix, source) : entry.NewSource;
    }

    /// <summary>How much of a message is the packet it is about: all of it, or as far as the message says (RFC 4884 4: words of 4 bytes in ICMPv4, of 8 in ICMPv6).</summary>
    private static int QuotedBytes(ReadOnlySpan<byte> message, bool isV4)
    {
        int most = message.Length - IcmpHeader;
        int said = isV4 ? message[5] * 4 : message[0] is Icmpv6Types.DestinationUnreachable or Icmpv6Types.TimeExceeded ? message[4] * 8 : 0;
        return said >= 128 && said < most ? said : most;
    }

    private static void WriteMessage(Span<byte> message, in IcmpError error, uint pseudo)
    {
        (message[0], message[1]) = (error.Type, error.Code);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], 0);
        BinaryPrimitives.WriteUInt32BigEndian(message[4..], error.Rest);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Compute(message, pseudo));
    }

    /// <summary>Writes the network header of the quoted packet in the other family: as a packet's, but that its TTL stays.</summary>
    /// <returns>Its length.</returns>
    private static int WriteQuotedHeader(ReadOnlySpan<byte> quoted, in QuotedPacket inner, in ErrorAddresses to, Span<byte> target)
    {
        IpAddress source = to.InnerSource, destination = to.InnerDestination;
        byte protocol = OtherFamily.ProtocolOf(inner.Key.Protocol, (byte)source.Family);
        if (source.IsIpv6)
        {
            int word = BinaryPrimitives.ReadUInt16BigEndian(quoted[6..]), payload = BinaryPrimitives.ReadUInt16BigEndian(quoted[2..]) - inner.TransportAt;
            bool isFragment = (word & MoreFragments) != 0;
            int more = isFragment ? OtherFamily.FragmentHeader : 0;
            Rewriting.Ipv6Writer.WriteHeader(target, source, destination, isFragment ? IpProtocols.Fragment : protocol, quoted[8], Math.Max(payload, 0) + more);
            BinaryPrimitives.WriteUInt32BigEndian(target, 0x6000_0000 | ((uint)quoted[1] << 20));
            if (isFragment)
            {
                FamilyTranslation.WriteFragmentHeader(target[OtherFamily.V6Header..], protocol, 0, hasMore: true, BinaryPrimitives.ReadUInt16BigEndian(quoted[4..]));
            }

            return OtherFamily.V6Header + more;
        }

        int rest = BinaryPrimitives.ReadUInt16BigEndian(quoted[4..]) + OtherFamily.V6Header - inner.TransportAt, fragment = OtherFamily.FragmentHeaderAt(quoted);
        byte tos = (byte)(BinaryPrimitives.ReadUInt16BigEndian(quoted) >> 4);
        Rewriting.Ipv4Writer.WriteHeader(target, source, destination, protocol, quoted[7], tos, Math.Max(rest, 0));
        bool mayBeFragmented = fragment > 0 || rest + OtherFamily.V4Header <= OtherFamily.MayBeFragmented;
        int flags = fragment == 0 ? 0 : (quoted[fragment + 3] & 1) != 0 ? MoreFragments : 0;
        SetFragment(target, fragment == 0 ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(quoted[(fragment + 6)..]), (ushort)(mayBeFragmented ? flags : DontFragment));
        return OtherFamily.V4Header;
    }

    private static void SetFragment(Span<byte> header, ushort identification, ushort word)
    {
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], identification);
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], word);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Compute(header[..OtherFamily.V4Header]));
    }
}
