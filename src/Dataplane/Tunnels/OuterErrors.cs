using System.Buffers.Binary;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Tunnels;

/// <summary>ICMP errors about packets in outer headers of ours: their senders know nothing of the outer header, so they are told about the packet inside
/// (RFC 2003, 4 and RFC 2473, 8).</summary>
internal static class OuterErrors
{
    private const int IcmpHeader = 8, UdpBytes = 8;

    /// <summary>RFC 1191, 7: a link that carries IPv4 in less is not to be believed. RFC 8200, 5 says it of IPv6.</summary>
    private const int LeastV4 = 68, LeastV6 = 1280;

    /// <summary>Finds the packet inside that an ICMP error is about.</summary>
    /// <returns>False when it is not one about an outer header of ours, or quotes too little.</returns>
    public static bool TryReadFlow(TunnelTable tunnels, PacketBatch batch, int i, out FlowKey inside) => TryRead(tunnels, batch, i, out inside, out _, out _, out _);

    /// <summary>Takes the packet in, if it is such an error and about a flow that is known; what it says, the sender of the packet inside is told.</summary>
    /// <returns>False for all other packets, which are left alone.</returns>
    public static bool TryHandle<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        TunnelTable tunnels = context.Tables.Tunnels;
        if (!tunnels.HasSources || !TryRead(tunnels, batch, i, out FlowKey inside, out IpAddress backend, out int at, out int outerBytes))
        {
            return false;
        }

        int flow = context.Flows.Find(in inside, context.Hash.Of(in inside));
        if (flow < 0 || context.Tables.OuterOf(in context.Flows[flow]) is not { } outer || outer.Destination != backend)
        {
            return false;
        }

        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ReadOnlySpan<byte> message = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        bool isV4 = headers.IpVersion == 4;
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        uint pseudo = isV4 ? 0 : InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Icmpv6, (uint)message.Length);
        if (!InternetChecksum.Verify(message, pseudo))
        {
            batch.Drop(i, DropReason.IcmpInvalid);
            return true;
        }

        bool isTooBig = isV4 ? message[0] == 3 && message[1] == 4 : message[0] == 2;
        long mtu = isV4 ? BinaryPrimitives.ReadUInt16BigEndian(message[6..]) : BinaryPrimitives.ReadUInt32BigEndian(message[4..]);
        int told = isTooBig ? (int)Math.Clamp(mtu - outerBytes, inside.Family == 4 ? LeastV4 : LeastV6, ushort.MaxValue) : 0;
        Tell(context, batch, i, in inside, at, told);
        batch.Drop(i, DropReason.ConsumedTunnelError);
        if (TTracing.IsOn)
        {
            context.Trace!.Add(batch, "decapsulate", "tunnel_error", $"ICMP error about the outer header of {inside}; {inside.Source} is told"
                + (isTooBig ? $" that at most {told} bytes fit" : " that the service is not reached"), ("inside", inside.ToString()), ("backend", backend.ToString()), ("mtu", told));
        }

        return true;
    }

    private static void Tell(WorkerContext context, PacketBatch batch, int i, in FlowKey inside, int at, int mtu)
    {
        int received = batch.InInterfaces[i];
        if (received < 0)
        {
            return;
        }

        int end = batch.Parsed[i].Headers.EndOffset;
        bool isV4 = inside.Family == 4;
        ReadOnlySpan<byte> frame = batch.Frame(i);
        var headers = new PacketHeaders
        {
            EtherType = isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6,
            NetworkOffset = (ushort)at,
            TransportOffset = (ushort)(at + (isV4 ? (frame[at] & 0x0F) << 2 : 40)),
            EndOffset = (ushort)end,
            IpVersion = inside.Family,
            Protocol = inside.Protocol,
        };
        IcmpErrors.SendAboutQuoted(context, frame, in headers, in inside, context.Tables.Interfaces[received], mtu);
    }

    private static bool TryRead(TunnelTable tunnels, PacketBatch batch, int i, out FlowKey inside, out IpAddress backend, out int at, out int outerBytes)
    {
        (inside, backend, at, outerBytes) = (default, default, 0, 0);
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool isV4 = headers.IpVersion == 4;
        if (headers.Protocol != (isV4 ? IpProtocols.Icmp : IpProtocols.Icmpv6) || headers.TransportOffset == 0 || headers.Fragment != FragmentKind.None)
        {
            return false;
        }

        ReadOnlySpan<byte> message = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        int header = isV4 ? 20 : 40;
        if (!(isV4 ? message[0] is 3 or 11 or 12 : message[0] is >= 1 and <= 4) || message.Length < IcmpHeader + header + UdpBytes)
        {
            return false;
        }

        ReadOnlySpan<byte> quoted = message[IcmpHeader..];

        // Ours have neither options nor extension headers.
        if (quoted[0] >> 4 != headers.IpVersion || (isV4 && quoted[0] != 0x45))
        {
            return false;
        }

        byte protocol = quoted[isV4 ? 9 : 6];
        bool isGue = protocol == IpProtocols.Udp && BinaryPrimitives.ReadUInt16BigEndian(quoted[(header + 2)..]) == tunnels.GuePort;
        outerBytes = header + (isGue ? UdpBytes : 0);
        if ((!isGue && protocol is not (IpProtocols.Ipv4 or IpProtocols.Ipv6)) || quoted.Length <= outerBytes
            || !tunnels.IsSource(isV4 ? IpAddress.ReadV4(quoted[12..]) : IpAddress.ReadV6(quoted[8..])))
        {
            return false;
        }

        backend = isV4 ? IpAddress.ReadV4(quoted[16..]) : IpAddress.ReadV6(quoted[24..]);
        at = headers.TransportOffset + IcmpHeader + outerBytes;
        ReadOnlySpan<byte> rest = quoted[outerBytes..];
        if (!QuotedPacket.TryRead(rest, rest[0] >> 4 == 4, out QuotedPacket packet))
        {
            return false;
        }

        inside = packet.Key;
        return true;
    }
}
