using System.Buffers.Binary;
using System.Net;
using Dataplane.Native.Tests.Packets;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.SystemTests.Ports;

/// <summary>Puts frames of any shape on the client's wire, beside what its kernel sends.</summary>
internal sealed class FastPathSender : IDisposable
{
    private readonly FastPathBed _bed;
    private readonly IPort _port;
    private readonly byte[] _memory = new byte[16 << 10];

    public FastPathSender(FastPathBed bed) => (_bed, _port) = (bed, PortBed.Open("e0", bed.Client, slots: 64));

    public void Send(params byte[][] frames)
    {
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), 0);
        batch.SetMemory(_memory);
        foreach (byte[] frame in frames)
        {
            frame.CopyTo(_memory, batch.Count * 2048);
            Assert.True(batch.Add(batch.Count * 2048, frame.Length));
        }

        Assert.Equal(frames.Length, _port.Transmit(batch, PortBed.AllOf(batch)));
        _port.Flush();
    }

    /// <summary>A segment of six bytes from the client to the server, sound but for its numbers.</summary>
    public byte[] TcpFrame(int fromPort, int toPort, byte flags)
    {
        byte[] frame = Ipv4(_bed.Between.Execute("cat", "/sys/class/net/wire0/address").Trim(), "10.95.0.2", FastPathBed.Target(4), protocol: 6, fromPort, toPort);
        Span<byte> tcp = frame.AsSpan(34);
        (tcp[12], tcp[13]) = (0x50, flags);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], (ushort)~Frames.Fold(tcp, Frames.Fold(frame.AsSpan(26, 8), 6 + tcp.Length)));
        return frame;
    }

    /// <summary>A datagram of 18 bytes without a checksum.</summary>
    public static byte[] Udp(string toMac, string from, string to, int toPort)
    {
        byte[] frame = Ipv4(toMac, from, to, protocol: 17, fromPort: 2000, toPort);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(38), (ushort)(frame.Length - 34));
        return frame;
    }

    /// <summary>A frame of 60 bytes as far as the ports.</summary>
    private static byte[] Ipv4(string toMac, string from, string to, byte protocol, int fromPort, int toPort)
    {
        byte[] frame = new byte[60];
        MacAddress.Parse(toMac).Write(frame);
        frame[12] = 8;
        Span<byte> ip = frame.AsSpan(14), transport = ip[20..];
        (ip[0], ip[3], ip[8], ip[9]) = (0x45, (byte)ip.Length, 64, protocol);
        IPAddress.Parse(from).GetAddressBytes().CopyTo(ip[12..]);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(ip[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], (ushort)~Frames.Fold(ip[..20], 0));
        BinaryPrimitives.WriteUInt16BigEndian(transport, (ushort)fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(transport[2..], (ushort)toPort);
        return frame;
    }

    public void Dispose() => _port.Dispose();
}
