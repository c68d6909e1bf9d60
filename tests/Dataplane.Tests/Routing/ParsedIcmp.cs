using System.Buffers.Binary;
using System.Net;

namespace Dataplane.Tests.Routing;

/// <summary>An ICMP message in an Ethernet frame, read by hand: shares no code with the engine.</summary>
internal sealed record ParsedIcmp(string Source, string Destination, int Type, int Code, uint Rest, byte[] Quoted, bool ChecksumHolds)
{
    public static ParsedIcmp Read(byte[] frame)
    {
        bool v6 = frame[14] >> 4 == 6;
        int start = v6 ? 54 : 14 + ((frame[14] & 15) * 4);
        string source = new IPAddress(v6 ? frame[22..38] : frame[26..30]).ToString();
        string destination = new IPAddress(v6 ? frame[38..54] : frame[30..34]).ToString();
        byte[] message = frame[start..];
        long sum = 0;
        if (v6)
        {
            for (int i = 22; i < 54; i += 2)
            {
                sum += (frame[i] << 8) + frame[i + 1];
            }

            sum += message.Length + 58;
        }

        for (int i = 0; i < message.Length; i += 2)
        {
            sum += (message[i] << 8) + (i + 1 < message.Length ? message[i + 1] : 0);
        }

        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return new ParsedIcmp(source, destination, message[0], message[1], BinaryPrimitives.ReadUInt32BigEndian(message.AsSpan(4)), message[8..], sum == 0xFFFF);
    }
}
