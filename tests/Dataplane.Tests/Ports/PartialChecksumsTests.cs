using System.Buffers.Binary;
using Dataplane.Ports;

namespace Dataplane.Tests.Ports;

/// <summary>Against a sum made two bytes at a time, without code of the library.</summary>
public class PartialChecksumsTests
{
    private const byte Tcp = 6, Udp = 17;

    [Theory]
    [InlineData(4, Tcp, 0)]
    [InlineData(4, Udp, 0)]
    [InlineData(4, Tcp, 1)]
    [InlineData(4, Udp, 2)]
    [InlineData(6, Tcp, 0)]
    [InlineData(6, Udp, 0)]
    [InlineData(6, Tcp, 2)]
    [InlineData(6, Udp, 1)]
    public void FinishFrame_UnfinishedAndFinished_AreRightAfterwards(int version, byte protocol, int tags)
    {
        var random = new Random(version + protocol + tags);
        for (int length = 20; length < 1400; length += random.Next(1, 20))
        {
            byte[] frame = Make(random, version, protocol, tags, length, out int transport, out uint pseudo);
            int field = transport + (protocol == Tcp ? 16 : 6);
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(field), (ushort)Fold(pseudo));
            Assert.True(PartialChecksums.FinishFrame(frame));
            Assert.Equal(0xFFFFu, Fold(pseudo + Sum(frame.AsSpan(transport, length))));
            byte[] finished = [.. frame];
            PartialChecksums.FinishFrame(frame);
            Assert.Equal(finished, frame);
        }
    }

    [Fact]
    public void FinishFrame_FragmentsOtherProtocolsAndWrongChecksums_AreLeftAlone()
    {
        var random = new Random(7);
        byte[] frame = Make(random, 4, Udp, 0, 100, out int transport, out uint pseudo);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(transport + 6), (ushort)Fold(pseudo));
        AssertUntouched(frame, 14 + 6, 0x20);                        // more fragments
        AssertUntouched(frame, 14 + 7, 0x01);                        // a later fragment
        AssertUntouched(frame, 14 + 9, 1);                           // ICMP
        AssertUntouched(frame, 14, 0x44);                            // a header too short
        AssertUntouched(frame, 14 + 2, 0xFF);                        // longer than the frame
        AssertUntouched(frame, transport + 6, (byte)~frame[transport + 6]);   // any other value
        AssertUntouched(frame, 12, 0x99);                            // another EtherType
        Assert.True(PartialChecksums.FinishFrame(frame));
    }

    [Fact]
    public void FinishFrame_AnyBytesOfAnyLength_StaysInside()
    {
        var random = new Random(11);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] frame = new byte[random.Next(0, 120)];
            random.NextBytes(frame);
            if (frame.Length > 14)
                (frame[12], frame[13]) = random.Next(4) switch { 0 => ((byte)0x81, (byte)0), 1 => ((byte)0x86, (byte)0xDD), _ => ((byte)8, (byte)0) };
            PartialChecksums.FinishFrame(frame);
        }
    }

    private static void AssertUntouched(byte[] frame, int at, byte value)
    {
        byte[] changed = [.. frame];
        changed[at] = value;
        byte[] expected = [.. changed];
        Assert.False(PartialChecksums.FinishFrame(changed));
        Assert.Equal(expected, changed);
    }

    private static byte[] Make(Random random, int version, byte protocol, int tags, int length, out int transport, out uint pseudo)
    {
        int network = 14 + (4 * tags), header = version == 4 ? 24 : 40;
        transport = network + header;
        byte[] frame = new byte[transport + length + 3];             // padding behind the packet does not count
        random.NextBytes(frame);
        for (int tag = 0; tag < tags; tag++)
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12 + (4 * tag)), (ushort)(tag == 0 && tags == 2 ? 0x88A8 : 0x8100));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(network - 2), (ushort)(version == 4 ? 0x0800 : 0x86DD));
        Span<byte> packet = frame.AsSpan(network);
        Span<byte> addresses = version == 4 ? packet.Slice(12, 8) : packet.Slice(8, 32);
        if (version == 4)
        {
            packet[0] = 0x46;
            BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)(header + length));
            BinaryPrimitives.WriteUInt16BigEndian(packet[6..], 0x4000);
            packet[9] = protocol;
        }
        else
        {
            packet[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)length);
            packet[6] = protocol;
        }

        pseudo = Sum(addresses) + protocol + (uint)length;
        return frame;
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i++)
            sum += (i & 1) == 0 ? (uint)bytes[i] << 8 : bytes[i];
        return sum;
    }

    private static uint Fold(uint sum)
    {
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return sum;
    }
}
