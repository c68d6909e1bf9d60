using Dataplane.Packets;

namespace Dataplane.Tests.Conformance;

/// <summary>What packets carry behind their IP header.</summary>
internal static class Say
{
    public static Func<PacketBuilder, PacketBuilder> Udp(ushort from, ushort to, int bytes = 20, bool checksum = true) => packet => packet.Udp(from, to, checksum).PayloadOf(bytes);

    public static Func<PacketBuilder, PacketBuilder> Tcp(ushort from, ushort to, TcpFlags flags, uint sequence = 0, uint acknowledgment = 0, int bytes = 0, ushort window = 1000, byte? scale = null) =>
        packet => packet.Tcp(new TcpFields
        {
            SourcePort = from,
            DestinationPort = to,
            Flags = flags,
            SequenceNumber = sequence,
            AcknowledgmentNumber = acknowledgment,
            Window = window,
            WindowScale = scale,
        }).PayloadOf(bytes);

    public static Func<PacketBuilder, PacketBuilder> EchoRequest(ushort identifier, ushort sequence = 1, int bytes = 56) => packet => packet.EchoRequest(identifier, sequence).PayloadOf(bytes);

    public static Func<PacketBuilder, PacketBuilder> EchoReply(ushort identifier, ushort sequence = 1, int bytes = 56) => packet => packet.EchoReply(identifier, sequence).PayloadOf(bytes);

    public static Func<PacketBuilder, PacketBuilder> Protocol(byte protocol, int bytes = 40) => packet => packet.Carrying(protocol).PayloadOf(bytes);
}
