using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Names;

/// <summary>Answers DNS queries to the engine's name servers, over UDP and (<see cref="NameStreams"/>) over TCP.</summary>
/// <remarks>
/// Input: packets that passed the filter. Output: for a query a packet of the engine's own, which is routed like any other; the query itself is consumed. Drops:
/// what is no query or damaged, sources that ask too often. Everything else passes, responses from port 53 included: they belong to flows.
/// State: a meter per source, counters. Cost: for other packets one comparison, none at all without a name server; for a query see <see cref="NameTable"/>,
/// a line of the meters, the message summed once and the response once, and its way out.
/// </remarks>
internal static class NameStage
{
    private const int UdpHeaderBytes = 8;

    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        NameServers servers = context.Tables.Names;
        if (servers.IsEmpty)
        {
            return;
        }

        const ulong Mask = 0x0000_FFFF_0000_FF00, Port = (ulong)DnsWire.Port << 32, Udp = Port | (IpProtocols.Udp << 8), Tcp = Port | (IpProtocols.Tcp << 8);
        for (int i = 0; i < batch.Count; i++)
        {
            ulong transport = batch.Parsed[i].Key.Transport & Mask;
            if (batch.Verdicts[i] != Verdict.Continue || (transport != Udp && transport != Tcp) || batch.Parsed[i].Headers.Fragment != FragmentKind.None
                || servers.Find(in batch.Parsed[i].Key) is not { } server)
            {
                continue;
            }

            string outcome = transport == Udp ? Handle(context, batch, i, server) : HandleSegment(context, batch, i, server);
            if (TTracing.IsOn)
            {
                context.Trace!.Add(batch, "names", outcome, $"name server {server.Spec.Name} at {batch.Parsed[i].Key.Destination}",
                    ("server", server.Spec.Name), ("names", server.Table.Count), ("tables_version", context.Tables.Version));
            }
        }
    }

    /// <returns>What became of it, for explain.</returns>
    private static string Handle(WorkerContext context, PacketBatch batch, int i, NameServer server)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        ReadOnlySpan<byte> datagram = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        int length = datagram.Length < UdpHeaderBytes ? 0 : BinaryPrimitives.ReadUInt16BigEndian(datagram[4..]);
        if (length < UdpHeaderBytes + DnsWire.HeaderBytes || length > datagram.Length || key.SourcePort == 0
            || (batch.Marks[i] & (PacketMarks.SuperFrame | PacketMarks.LinkBroadcast)) != 0)
        {
            batch.Drop(i, DropReason.DnsInvalid);
            return "dns_invalid";
        }

        datagram = datagram[..length];
        ReadOnlySpan<byte> message = datagram[UdpHeaderBytes..];

        // A response is nobody's query, whatever else is wrong with it: it belongs to a flow, or to nobody.
        if ((message[2] & 0x80) != 0 && key.SourcePort == DnsWire.Port)
        {
            return "passed";
        }

        if ((message[2] & 0x80) != 0 || ((batch.Marks[i] & PacketMarks.Unfinished) == 0 && !IsIntact(datagram, in key)))
        {
            batch.Drop(i, DropReason.DnsInvalid);
            return "dns_invalid";
        }

        int perSecond = server.Spec.QueriesPerSecond;
        if (perSecond > 0 && !context.Names.Limit.TryTake(key.SourceHigh, key.SourceLow, key.Family == 4, perSecond, context.NowNs))
        {
            batch.Drop(i, DropReason.DnsRateLimited);
            return "dns_rate_limited";
        }

        return Respond(context, batch, i, server, message);
    }

    private static string HandleSegment(WorkerContext context, PacketBatch batch, int i, NameServer server)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        FlowKey key = batch.Parsed[i].Key;
        if (!TcpView.TryParse(batch.Frame(i)[headers.TransportOffset..headers.EndOffset], out TcpView segment) || key.SourcePort == 0
            || (batch.Marks[i] & PacketMarks.LinkBroadcast) != 0
            || ((batch.Marks[i] & PacketMarks.Unfinished) == 0 && !segment.IsChecksumValid(key.Source, key.Destination)))
        {
            batch.Drop(i, DropReason.DnsInvalid);
            return "dns_invalid";
        }

        string outcome = context.Names.Streams.Receive(context, in key, context.Tables.Interfaces[batch.InInterfaces[i]], server, in segment);
        batch.Drop(i, DropReason.ConsumedDns);
        return outcome;
    }

    private static string Respond(WorkerContext context, PacketBatch batch, int i, NameServer server, ReadOnlySpan<byte> message)
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        L3Interface received = context.Tables.Interfaces[batch.InInterfaces[i]];
        NameScratch scratch = context.Names.Scratch;
        int ip = key.Family == 4 ? 20 : 40;
        int most = Math.Min(DnsWire.MaxUdpBytes, received.Mtu - ip - UdpHeaderBytes);
        NameResponse response = NameResponder.Respond(server.Table, message, scratch.Response, most, isUdp: true, scratch);
        if (response.Kind == NameResponseKind.Forward)
        {
            if (context.Names.Forwards is not { } forwards || forwards.TryAsk(in key, received, message))
            {
                context.Names.Forwarded++;
                batch.Drop(i, DropReason.ConsumedDns);
                return "forwarded";
            }

            context.Names.ForwardsRefused++;
            response = NameErrors.Respond(message, scratch.Response, DnsWire.ServFail);
        }

        if (!Originate(context, received, in key, scratch.Response.AsSpan(0, response.Bytes)))
        {
            batch.Drop(i, DropReason.NoBuffer);
            return "no_buffer";
        }

        context.Names.Count(in response);
        batch.Drop(i, DropReason.ConsumedDns);
        return context.Trace is null ? "" : $"answered: response code {response.Rcode}, {response.Records} records{(response.IsTruncated ? ", truncated" : "")}";
    }

    /// <summary>Makes the packet that carries a response.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="via">An interface of the link the query came by.</param>
    /// <param name="query">The flow of the query.</param>
    /// <param name="message">The response.</param>
    /// <returns>False when there is no room.</returns>
    public static bool Originate(WorkerContext context, L3Interface via, in FlowKey query, ReadOnlySpan<byte> message)
    {
        bool isV4 = query.Family == 4;
        int link = via.LinkHeaderBytes, ip = isV4 ? 20 : 40, udp = UdpHeaderBytes + message.Length;
        int index = context.Originated.Add(link + ip + udp);
        if (index < 0)
        {
            return false;
        }

        IpAddress source = query.Destination, destination = query.Source;
        Span<byte> frame = context.Originated.Batch.Frame(index);
        Span<byte> datagram = frame[(link + ip)..];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, DnsWire.Port);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[2..], query.SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[4..], (ushort)udp);
        message.CopyTo(datagram[UdpHeaderBytes..]);
        uint pseudo = InternetChecksum.PseudoHeader(source, destination, IpProtocols.Udp, (uint)udp);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[6..], InternetChecksum.ZeroAsOnes(InternetChecksum.Compute(datagram, pseudo)));
        if (isV4)
        {
            Ipv4Writer.WriteHeader(frame[link..], source, destination, IpProtocols.Udp, 64, 0, udp);
        }
        else
        {
            Ipv6Writer.WriteHeader(frame[link..], source, destination, IpProtocols.Udp, 64, udp);
        }

        LinkHeader.Write(frame, 0, via, isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
        LocalOrigin.Prepare(context, index, via, source, destination, IpProtocols.Udp);
        return true;
    }

    /// <summary>Whether the checksum fits; over IPv4 0 is none (RFC 768).</summary>
    private static bool IsIntact(ReadOnlySpan<byte> datagram, in FlowKey key)
    {
        bool hasNone = BinaryPrimitives.ReadUInt16BigEndian(datagram[6..]) == 0;
        return hasNone ? key.Family == 4
            : InternetChecksum.Verify(datagram, InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Udp, (uint)datagram.Length));
    }
}
