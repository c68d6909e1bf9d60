using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Dataplane.Native.Tests.Packets;

/// <summary>What the kernel leaves to hardware is done when a frame is listed: seen with real TCP and UDP between two namespaces.</summary>
public class OffloadTests
{
    private const SocketOptionLevel Udp = (SocketOptionLevel)17;
    private const SocketOptionName UdpSegment = (SocketOptionName)103;

    [PrivilegedTheory]
    [InlineData("10.77.0.1", "10.77.0.2", AfPacketRing.Slots)]
    [InlineData("10.77.0.1", "10.77.0.2", AfPacketRing.Blocks)]
    [InlineData("fd77::1", "fd77::2", AfPacketRing.Slots)]
    [InlineData("fd77::1", "fd77::2", AfPacketRing.Blocks)]
    public async Task Receive_TcpWithSegmentationOffload_IsWhatAWireCarries(string client, string server, AfPacketRing ring)
    {
        using var bridge = new VerifyingBridge(ring);
        byte[] data = new byte[12 << 20];
        new Random(1).NextBytes(data);
        using Socket listener = bridge.ServerSocket(() => new Socket(IPAddress.Parse(server).AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(IPAddress.Parse(server), 0));
        listener.Listen();
        using Socket sender = bridge.ClientSocket(() => new Socket(IPAddress.Parse(client).AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        Task<Socket> accepting = listener.AcceptAsync();
        await sender.ConnectAsync(listener.LocalEndPoint!).WaitAsync(TimeSpan.FromSeconds(20));
        using Socket receiver = await accepting.WaitAsync(TimeSpan.FromSeconds(20));
        Task<byte[]> hash = Task.Run(() =>
        {
            using var stream = new NetworkStream(receiver);
            return SHA256.HashData(stream);
        });
        await sender.SendAsync(data).WaitAsync(TimeSpan.FromSeconds(60));
        sender.Shutdown(SocketShutdown.Send);
        Assert.Equal(SHA256.HashData(data), await hash.WaitAsync(TimeSpan.FromSeconds(60)));

        bridge.Stop();
        Assert.Empty(bridge.Faults);
        AfPacketReceiveStatistics seen = bridge.ClientSide;
        Assert.True(seen.SuperFrames > 10, $"{seen}");
        Assert.True(seen.Segments > seen.SuperFrames, $"{seen}");
        Assert.True(seen.ChecksumsCompleted > 0, $"{seen}");
        Assert.Equal((0, 0, 0), (seen.Malformed, seen.Oversized, seen.UnsupportedSuperFrames));
        Assert.True(bridge.Gaps == 0 || seen.KernelDrops > 0, $"{bridge.Gaps} gaps in the sequence numbers");
        Assert.True(bridge.DataBytes >= data.Length);
        Assert.Equal(1514, bridge.LongestFrame);
    }

    [PrivilegedTheory]
    [InlineData("10.77.0.1", "10.77.0.2", AfPacketRing.Slots)]
    [InlineData("10.77.0.1", "10.77.0.2", AfPacketRing.Blocks)]
    [InlineData("fd77::1", "fd77::2", AfPacketRing.Slots)]
    [InlineData("fd77::1", "fd77::2", AfPacketRing.Blocks)]
    public async Task Receive_UdpWithSegmentationOffload_IsOneFramePerDatagram(string client, string server, AfPacketRing ring)
    {
        using var bridge = new VerifyingBridge(ring);
        using Socket receiver = bridge.ServerSocket(() => new Socket(IPAddress.Parse(server).AddressFamily, SocketType.Dgram, ProtocolType.Udp));
        receiver.Bind(new IPEndPoint(IPAddress.Parse(server), 0));
        using Socket sender = bridge.ClientSocket(() => new Socket(IPAddress.Parse(client).AddressFamily, SocketType.Dgram, ProtocolType.Udp));
        sender.Connect(receiver.LocalEndPoint!);
        sender.Send([0]);    // so that the neighbour is known and the next one is not queued
        byte[] buffer = new byte[2000];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Assert.Equal(1, await receiver.ReceiveAsync(buffer, limit.Token));

        sender.SetRawSocketOption((int)Udp, (int)UdpSegment, BitConverter.GetBytes(1200));
        byte[] data = new byte[20_500];
        new Random(2).NextBytes(data);
        sender.Send(data);
        var received = new List<byte>();
        while (received.Count < data.Length)
        {
            int length = await receiver.ReceiveAsync(buffer, limit.Token);
            Assert.Equal(Math.Min(1200, data.Length - received.Count), length);
            received.AddRange(buffer.AsSpan(0, length));
        }

        Assert.Equal(data, received);
        bridge.Stop();
        Assert.Empty(bridge.Faults);
        Assert.Equal((1, 18), (bridge.ClientSide.SuperFrames, bridge.ClientSide.Segments));
    }
}
