using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Routing;

/// <summary>Packets to the engine's own addresses: echo is answered, the rest refused as a host does (RFC 1122 3.2.2, RFC 4443).</summary>
internal static class LocalDelivery
{
    /// <summary>Takes in a packet to one of our addresses.</summary>
    /// <returns>True when it has become the answer, which is to be routed.</returns>
    public static bool Handle<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        bool answered = Decide(context, batch, i);
        if (TTracing.IsOn)
        {
            string outcome = answered ? "answered" : batch.Reasons[i].ToName();
            context.Trace!.Add(batch, "local", outcome, $"{batch.Parsed[i].Key.Destination} is an address of the engine");
        }

        return answered;
    }

    private static bool Decide(WorkerContext context, PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Fragment != FragmentKind.None)
        {
            batch.Drop(i, DropReason.LocalUnreachable);
            return false;
        }

        if (headers.IsSourceRouted)
        {
            // RFC 8200 4.4: a router that knows no routing header says where its type stands; RFC 5095 has it so for type 0.
            IcmpErrors.SendUnknownRouting(context, batch, i);
            batch.Drop(i, DropReason.LocalUnreachable);
            return false;
        }

        switch (headers.Protocol)
        {
            case IpProtocols.Icmp when headers.IpVersion == 4:
            case IpProtocols.Icmpv6 when headers.IpVersion == 6:
                return HandleIcmp(batch, i);
            case IpProtocols.Tcp:
            case IpProtocols.Udp:
                IcmpErrors.SendPortUnreachable(context, batch, i);
                break;
            case IpProtocols.NoNextHeader:
                break;
            default:
                IcmpErrors.SendProtocolUnreachable(context, batch, i);
                break;
        }

        batch.Drop(i, DropReason.LocalUnreachable);
        return false;
    }

    private static bool HandleIcmp(PacketBatch batch, int i)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref FlowKey key = ref batch.Parsed[i].Key;
        bool isV4 = headers.IpVersion == 4;
        Span<byte> frame = batch.Frame(i);
        Span<byte> message = frame[headers.TransportOffset..headers.EndOffset];
        uint pseudo = isV4 ? 0 : InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Icmpv6, (uint)message.Length);
        if (!InternetChecksum.Verify(message, pseudo))
        {
            batch.Drop(i, DropReason.IcmpInvalid);
            return false;
        }

        byte request = isV4 ? (byte)8 : (byte)128, reply = isV4 ? (byte)0 : (byte)129;
        if (message[0] != request || message[1] != 0)
        {
            batch.Drop(i, DropReason.ConsumedIcmp);
            return false;
        }

        // Swapping source and destination leaves every checksum as it is; only the type changes.
        message[0] = reply;
        ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        ushort delta = InternetChecksum.Delta((ushort)(request << 8), (ushort)(reply << 8));
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Adjust(checksum, delta));
        Span<byte> network = frame[headers.NetworkOffset..];
        if (isV4)
        {
            uint source = (uint)key.SourceLow, destination = (uint)key.DestinationLow;
            BinaryPrimitives.WriteUInt32BigEndian(network[12..], destination);
            BinaryPrimitives.WriteUInt32BigEndian(network[16..], source);
            network[8] = 64;
            BinaryPrimitives.WriteUInt16BigEndian(network[10..], 0);
            BinaryPrimitives.WriteUInt16BigEndian(network[10..], InternetChecksum.Compute(network[..((network[0] & 0x0F) << 2)]));
        }
        else
        {
            key.Destination.Write(network[8..]);
            key.Source.Write(network[24..]);
            network[7] = 64;
        }

        key = key.Reversed();
        headers.Ttl = 64;
        batch.Marks[i] |= PacketMarks.LocalOrigin;
        return true;
    }
}
