using System.Buffers.Binary;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Reassembly;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Nat64;

/// <summary>Translates packets between the families by their addresses alone (SIIT, RFC 7915): behind it they are packets of the other family like any other.</summary>
/// <remarks>
/// Input: packets that the filter has let pass and no flow has, and those the engine originates. Output: the same, those of mapped hosts as packets of the other family. Drops: what the other
/// family has none like, addresses that have no counterpart, TTL used up. State: none. Cost: nothing without it; else two binary searches for a packet, and the translation.
/// Whether a packet is translated follows from its addresses and what is known of their hosts, and a packet that has been does not qualify again, but for one from a mapped IPv6 host to
/// another: that is turned back by the same rules (RFC 7757 4).
/// </remarks>
internal static class SiitStage
{
    private const int IcmpHeader = 8, UdpChecksumAt = 6, MostPasses = 2;

    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (context.Tables.Siit is not { } siit)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            for (int pass = 0; pass < MostPasses && batch.Verdicts[i] == Verdict.Continue && batch.Flows[i] < 0 && batch.Parsed[i].Headers.IpVersion != 0 && IsTaken(context, siit, batch, i); pass++)
            {
                IpAddress destination = batch.Parsed[i].Key.Destination;
                Translate(context, siit, batch, i);
                if (TTracing.IsOn)
                {
                    Explain(context, batch, i, destination);
                }
            }
        }
    }

    /// <summary>Whether a packet is to be translated: its destination speaks the other family, as far as the mappings tell.</summary>
    public static bool IsTaken(WorkerContext context, SiitTable siit, PacketBatch batch, int i)
    {
        IpAddress source = batch.Parsed[i].Key.Source, destination = batch.Parsed[i].Key.Destination;
        SiitHosts other = destination.IsIpv4 ? SiitHosts.V6 : SiitHosts.V4, own = destination.IsIpv4 ? SiitHosts.V4 : SiitHosts.V6;
        if (siit.IsMapped(destination, out SiitHosts hosts))
        {
            return hosts == other || (destination.IsIpv6 && siit.Prefix.Contains(destination) && IsOf(siit, batch, i, source, own));
        }

        return destination.IsIpv4
            ? IsOf(siit, batch, i, source, own) && EmbeddedAddress.MayEmbed(siit.Prefix, destination) && context.Tables.Lookup(destination) is null
            : siit.Prefix.Contains(destination) && IsOf(siit, batch, i, source, own);
    }

    /// <summary>Whether a packet comes from a mapped host that speaks this family, or from a router on the way to one, as the packet tells that its error quotes.</summary>
    private static bool IsOf(SiitTable siit, PacketBatch batch, int i, IpAddress source, SiitHosts own) =>
        siit.IsMapped(source, own) || (IcmpErrorTranslation.TryReadFlow(batch, i, out FlowKey about) && siit.IsMapped(about.Source, own));

    private static void Translate(WorkerContext context, SiitTable siit, PacketBatch batch, int i)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        DropReason reason = WhyNot(context, siit, batch, i);
        if (reason != DropReason.None)
        {
            batch.Drop(i, reason);
            return;
        }

        if (!OtherFamily.MayLeave(context, batch, i, int.MaxValue))
        {
            return;
        }

        FlowKey key = batch.Parsed[i].Key;
        if (!siit.TryMapDestination(key.Destination, out IpAddress destination))
        {
            batch.Drop(i, DropReason.Nat64Address);
        }
        else if (IcmpErrorTranslation.TryReadFlow(batch, i, out _))
        {
            TranslateError(context, siit, batch, i, destination);
        }
        else if (!siit.TryMapSource(key.Source, out IpAddress source))
        {
            batch.Drop(i, DropReason.Nat64Address);
        }
        else
        {
            ReplaceLink(batch, i);
            FlowEntry way = NatFlows.OneWay(in key, headers.TcpFlags, source, key.SourcePort, destination, key.DestinationPort, slot: 0, generation: 0);
            FamilyTranslation.Translate(context, batch, i, in way, takeTtl: false, mayBeCut: true);
            ParseAgain(context, batch, i);
        }
    }

    private static DropReason WhyNot(WorkerContext context, SiitTable siit, PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool isLocal = (batch.Marks[i] & PacketMarks.LocalOrigin) != 0;
        if (headers.Ttl <= 1 && !isLocal)
        {
            IcmpErrors.SendTimeExceeded(context, batch, i);
            return DropReason.TtlExpired;
        }

        if (headers.IsSourceRouted)
        {
            IcmpErrors.SendRoutingNotTranslated(context, batch, i);
            return DropReason.NatUnsupported;
        }

        if (headers.TransportOffset == 0)
        {
            return DropReason.None;
        }

        // Of ICMP there are echo and errors in both families (RFC 7915 4.2 and 5.2); errors about what nobody can tell the packet of are of no use there.
        ReadOnlySpan<byte> transport = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        bool isUseless = headers.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6
            && (headers.Protocol == IpProtocols.Icmp != (headers.IpVersion == 4) || (!IcmpEcho.Is(headers.Protocol, transport[0]) && !IcmpErrorTranslation.TryReadFlow(batch, i, out _)));
        bool isWithoutSum = siit.DropsUdpWithoutChecksum && headers is { IpVersion: 4, Protocol: IpProtocols.Udp } && BinaryPrimitives.ReadUInt16BigEndian(transport[UdpChecksumAt..]) == 0;
        return isUseless || isWithoutSum ? DropReason.NatUnsupported : DropReason.None;
    }

    /// <summary>An ICMP error, with the packet it quotes: what that has as source is a destination here, and the reverse.</summary>
    private static void TranslateError(WorkerContext context, SiitTable siit, PacketBatch batch, int i, IpAddress destination)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        FlowKey key = batch.Parsed[i].Key;
        ReadOnlySpan<byte> message = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        bool isV4 = headers.IpVersion == 4;
        uint pseudo = isV4 ? 0 : InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Icmpv6, (uint)message.Length);
        if (!InternetChecksum.Verify(message, pseudo) || !QuotedPacket.TryRead(message[IcmpHeader..], isV4, out QuotedPacket inner))
        {
            batch.Drop(i, DropReason.IcmpInvalid);
            return;
        }

        if (!siit.TryMapDestination(inner.Key.Source, out IpAddress innerSource) || !siit.TryMapSource(inner.Key.Destination, out IpAddress innerDestination))
        {
            batch.Drop(i, DropReason.Nat64Address);
            return;
        }

        if (!siit.TryMapSource(key.Source, out IpAddress source))
        {
            // RFC 6791: of a router that has no address there it is worth more what it says than who it is.
            source = isV4 ? innerDestination : siit.RouterFor(key.Source);
            source = source.IsNone ? context.Tables.AnyAddress(isV4: true) : source;
            if (source.IsNone)
            {
                batch.Drop(i, DropReason.Nat64Address);
                return;
            }
        }

        ReplaceLink(batch, i);
        FamilyErrors.Translate(context, batch, i, in inner, new ErrorAddresses(source, destination, innerSource, innerDestination, inner.Key.SourcePort, inner.Key.DestinationPort));
    }

    /// <summary>What the engine makes has a link header that may have a tag; it is written anew when the packet leaves.</summary>
    private static void ReplaceLink(PacketBatch batch, int i)
    {
        const int Link = 14;
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        int more = headers.NetworkOffset - Link;
        if ((batch.Marks[i] & PacketMarks.LocalOrigin) == 0 || more <= 0)
        {
            return;
        }

        batch.Offsets[i] += more;
        batch.Lengths[i] -= more;
        batch.Frame(i)[..Link].Clear();
        (headers.NetworkOffset, headers.EndOffset) = (Link, (ushort)(headers.EndOffset - more));
        headers.TransportOffset = (ushort)(headers.TransportOffset == 0 ? 0 : headers.TransportOffset - more);
    }

    private static void ParseAgain(WorkerContext context, PacketBatch batch, int i)
    {
        PacketParser.ProcessOne(batch, i, context.Hash);
        if ((batch.Marks[i] & PacketMarks.Followed) != 0)
        {
            ref FollowedPacket followed = ref batch.Followed[i];
            byte family = batch.Parsed[i].Headers.IpVersion, protocol = OtherFamily.ProtocolOf(followed.Protocol, family);
            followed.Flags = protocol == followed.Protocol ? followed.Flags : IcmpEcho.TypeOf(followed.Flags, family == 4);
            followed.Protocol = protocol;
            FragmentStage.Apply(batch, i);
        }
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, IpAddress destination)
    {
        string outcome = batch.Verdicts[i] == Verdict.Drop ? batch.Reasons[i].ToName() : "translated";
        context.Trace!.Add(batch, "siit", outcome, batch.Verdicts[i] == Verdict.Drop ? $"{destination} speaks the other family, and this packet has none like it there"
            : $"{destination} speaks the other family: goes on as {batch.Parsed[i].Key}", ("destination", destination.ToString()), ("new_destination", batch.Parsed[i].Key.Destination.ToString()));
    }
}
