using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;

namespace Dataplane.Names;

/// <summary>Makes TCP segments of the engine's own.</summary>
internal static class TcpSegment
{
    /// <summary>Makes the packet that carries a segment back to a client.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="via">An interface of the link the client's packets come by.</param>
    /// <param name="client">The client's flow, from the client to the engine.</param>
    /// <param name="sequence">Number of the first byte.</param>
    /// <param name="acknowledged">The next number expected; counts with <see cref="TcpFlags.Ack"/>.</param>
    /// <param name="flags">Control bits.</param>
    /// <param name="window">Room for more.</param>
    /// <param name="options">Options, a multiple of four bytes.</param>
    /// <param name="data">Data.</param>
    /// <returns>False when there is no room for a packet.</returns>
    public static bool Originate(
        WorkerContext context, L3Interface via, in FlowKey client, uint sequence, uint acknowledged, TcpFlags flags, ushort window, ReadOnlySpan<byte> options, ReadOnlySpan<byte> data)
    {
        bool isV4 = client.Family == 4;
        int link = via.LinkHeaderBytes, ip = isV4 ? 20 : 40, header = TcpView.MinHeaderLengthBytes + options.Length, length = header + data.Length;
        int index = context.Originated.Add(link + ip + length);
        if (index < 0)
        {
            return false;
        }

        IpAddress source = client.Destination, destination = client.Source;
        Span<byte> frame = context.Originated.Batch.Frame(index);
        Span<byte> segment = frame[(link + ip)..];
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpView.Field.SourcePort..], client.DestinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpView.Field.DestinationPort..], client.SourcePort);
        BinaryPrimitives.WriteUInt32BigEndian(segment[TcpView.Field.SequenceNumber..], sequence);
        BinaryPrimitives.WriteUInt32BigEndian(segment[TcpView.Field.AcknowledgmentNumber..], (flags & TcpFlags.Ack) != 0 ? acknowledged : 0);
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpView.Field.OffsetAndFlags..], (ushort)((header / 4 << 12) | (int)flags));
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpView.Field.Window..], window);
        options.CopyTo(segment[TcpView.MinHeaderLengthBytes..]);
        data.CopyTo(segment[header..]);
        uint pseudo = InternetChecksum.PseudoHeader(source, destination, IpProtocols.Tcp, (uint)length);
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpView.Field.Checksum..], InternetChecksum.Compute(segment[..length], pseudo));
        if (isV4)
        {
            Ipv4Writer.WriteHeader(frame[link..], source, destination, IpProtocols.Tcp, 64, 0, length);
        }
        else
        {
            Ipv6Writer.WriteHeader(frame[link..], source, destination, IpProtocols.Tcp, 64, length);
        }

        LinkHeader.Write(frame, 0, via, isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
        LocalOrigin.Prepare(context, index, via, source, destination, IpProtocols.Tcp);
        return true;
    }
}
