using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Switching;

/// <summary>What a DHCP client sends and how it reads what it hears, written from RFC 2131 and by no code of the engine's.</summary>
internal static class DhcpClient
{
    public const byte Discover = 1, Offer = 2, Request = 3, Decline = 4, Ack = 5, Nak = 6, Release = 7, Inform = 8;
    public const ushort Broadcast = 0x8000;

    /// <summary>A message; options as they are to stand there, but for the kind in front and the end.</summary>
    public static byte[] Message(byte kind, MacAddress mac, string client = "0.0.0.0", ushort flags = 0, params byte[][] options)
    {
        byte[] head = new byte[240];
        (head[0], head[1], head[2]) = (1, 1, 6);
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(4), 0x1234_5678);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(10), flags);
        Bytes(client).CopyTo(head, 12);
        mac.Write(head.AsSpan(28));
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(236), 0x6382_5363);
        return [.. head, 53, 1, kind, .. options.SelectMany(option => option), 255];
    }

    public static byte[] Option(byte kind, params byte[] value) => [kind, (byte)value.Length, .. value];

    public static byte[] Address(byte kind, string address) => Option(kind, Bytes(address));

    /// <summary>The frame of a message: from nobody to all, or from an address to another by the gateway.</summary>
    public static byte[] Frame(string endpoint, byte[] message, string source = "0.0.0.0", string destination = "255.255.255.255") =>
        PacketBuilder.Ethernet(NetworkPlane.MacOf(endpoint), destination == "255.255.255.255" ? MacAddress.Broadcast : NetworkPlane.GatewayOf(endpoint))
            .Ipv4(source, destination).Udp(68, 67).Payload(message).Build();

    /// <summary>Sends a message that must be answered, and reads the answer.</summary>
    public static DhcpReply Ask(this TestPlane plane, string endpoint, byte[] frame) => DhcpReply.Read(plane.SendForOne(endpoint, frame, endpoint));

    private static byte[] Bytes(string address) => System.Net.IPAddress.Parse(address).GetAddressBytes();
}
