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
        byte[] frame = new byte[14 + 20 + 20 + 6];
        MacAddress.Parse(_bed.Between.Execute("cat", "/sys/class/net/wire0/address").Trim()).Write(frame);
        frame[12] = 8;
        Span<byte> ip = frame.AsSpan(14), tcp = ip[20..];
        (ip[0], ip[3], ip[8], ip[9]) = (0x45, (byte)ip.Length, 64, 6);
        IPAddress.Parse("10.95.0.2").GetAddressBytes().CopyTo(ip[12..]);
        IPAddress.Parse(FastPathBed.Target(4)).GetAddressBytes().CopyTo(ip[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], (ushort)~Frames.Fold(ip[..20], 0));
        BinaryPrimitives.WriteUInt16BigEndian(tcp, (ushort)fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], (ushort)toPort);
        (tcp[12], tcp[13]) = (0x50, flags);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], (ushort)~Frames.Fold(tcp, Frames.Fold(ip[12..20], 6 + tcp.Length)));
        return frame;
    }

    public void Dispose() => _port.Dispose();
}
