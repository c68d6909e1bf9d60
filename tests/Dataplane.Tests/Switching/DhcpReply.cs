using System.Net;
using Dataplane.Packets;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Switching;

/// <summary>A server's answer as a client reads it.</summary>
internal sealed record DhcpReply(byte Kind, string Yours, string Client, string Source, string Destination, string TargetMac, ushort Flags, Dictionary<byte, byte[]> Options)
{
    public static DhcpReply Read(byte[] frame)
    {
        ReferencePacket packet = ReferenceDecoder.Decode(frame);
        Assert.Equal((67, 68), (packet.SourcePort, packet.DestinationPort));
        byte[] message = frame[42..];
        Assert.True(message.Length is >= 300 and <= 548, $"{message.Length} bytes");
        Assert.Equal([2, 1, 6, 0, 0x12, 0x34, 0x56, 0x78], message[..8]);
        Assert.Equal([0x63, 0x82, 0x53, 0x63], message[236..240]);
        var options = new Dictionary<byte, byte[]>();
        int at = 240;
        while (message[at] != 255)
        {
            options.Add(message[at], message[(at + 2)..(at + 2 + message[at + 1])]);
            at += 2 + message[at + 1];
        }

        Assert.All(message[(at + 1)..], rest => Assert.Equal(0, rest));
        return new DhcpReply(options[53][0], new IPAddress(message[16..20]).ToString(), new IPAddress(message[12..16]).ToString(), packet.Source, packet.Destination,
            packet.DestinationMac, (ushort)((message[10] << 8) | message[11]), options)
        { Mac = MacAddress.Read(message.AsSpan(28)) };
    }

    /// <summary>The client's hardware address in the message.</summary>
    public MacAddress Mac { get; init; }

    /// <summary>An option's bytes in hexadecimal; empty when it is not there.</summary>
    public string Hex(byte option) => Options.TryGetValue(option, out byte[]? value) ? Convert.ToHexString(value) : "";
}
