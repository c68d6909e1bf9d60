using System.Net;
using System.Net.Sockets;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>Two ports of our own, one each role; and the life of a port.</summary>
[Collection(MemifCollection.Name)]
public sealed class StreamPortTests : IDisposable
{
    private readonly StreamBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData("unix", false)]
    [InlineData("unix", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.0.0.1", true)]
    [InlineData("::1", false)]
    [InlineData("::1", true)]
    public void TransmitAndReceive_FramesOfEveryLength_ArriveBothWaysAsTheyWere(string where, bool isSecured)
    {
        EndPoint address = where == "unix" ? _bed.Unix : StreamBed.FreeAddress(IPAddress.Parse(where));
        (IPort server, IPort client) = _bed.OpenBoth(address, isSecured, ringFrames: 1024);
        byte[][] frames = [.. Enumerable.Range(1, 1518).Select(length => TestFrames.Make(length, length))];
        foreach ((IPort from, IPort to) in new[] { (server, client), (client, server) })
        {
            for (int at = 0; at < frames.Length; at += 200)
            {
                byte[][] some = [.. frames.Skip(at).Take(200)];
                Assert.Equal(some.Length, StreamBed.Send(from, some));
                Assert.Equal(some, StreamBed.Collect(to, some.Length));
            }

            PortStatistics sent = StreamBed.Statistics(from), came = StreamBed.Statistics(to);
            Assert.Equal((1518, 1518 * 1519 / 2, 0, 0), (sent.TransmittedPackets, sent.TransmittedBytes, sent.TransmitRefused, sent.TransmitLost));
            Assert.Equal((1518, 1518 * 1519 / 2, 0), (came.ReceivedPackets, came.ReceivedBytes, came.Errors));
        }
    }

    [Fact]
    public void Transmit_PeerReadsNothing_DropsAtTheRingAndCountsAndRecovers()
    {
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        using NetworkStream mute = StreamBed.Connect(_bed.Unix);
        StreamBed.AwaitLink(server, LinkState.Up);
        byte[] frame = TestFrames.Make(1, 1500);
        PacketBatch batch = TestFrames.Batch([.. Enumerable.Repeat(frame, 64)]);
        long accepted = 0;

        // Until the socket takes no more either, however much that is; then until the ring is full.
        StreamBed.Await(() => Add() >= 0 && server.Description.Contains("it has taken nothing for", StringComparison.Ordinal), server);
        while (StreamBed.Statistics(server).TransmitRefused < 10_000)
            Add();
        batch.Clear(new PortId(0), 0);
        TestFrames.Fill(batch, [frame]);
        Assert.Equal((0, DropReason.TransmitRingFull, LinkState.Up), (server.Transmit(batch, [0]), batch.ReasonOf(0), server.Link));
        Assert.Equal(accepted, StreamBed.Statistics(server).TransmittedPackets);

        // It reads at last: everything that was accepted is there, and nothing else.
        byte[] expected = StreamBed.Framed(frame), got = new byte[expected.Length];
        for (long i = 0; i < accepted; i++)
        {
            mute.ReadExactly(got);
            Assert.True(expected.AsSpan().SequenceEqual(got));
        }

        Assert.Equal(1, StreamBed.Send(server, TestFrames.Make(2, 60)));
        mute.ReadExactly(got.AsSpan(0, 64));
        Assert.Equal(StreamBed.Framed(TestFrames.Make(2, 60)), got[..64]);
        Assert.DoesNotContain("taken nothing", server.Description, StringComparison.Ordinal);

        long Add()
        {
            int taken = server.Transmit(batch, TestFrames.All(batch));
            server.Flush();
            return accepted += taken;
        }
    }

    [Fact]
    public void Receive_WorkerTakesNothing_HoldsThePeerBackAndLosesNothing()
    {
        const int Count = 20_000;
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        using NetworkStream peer = StreamBed.Connect(_bed.Unix);
        var sender = new Thread(() =>
        {
            try
            {
                for (int number = 0; number < Count; number++)
                    peer.Write(StreamBed.Framed(TestFrames.Make(number, 100 + (number % 1000))));
            }
            catch (IOException)
            {
                // The test has failed already, and closed the stream.
            }
        });
        sender.Start();
        Assert.False(sender.Join(300), "a ring of 64 frames and two socket buffers do not hold 12 MB");
        List<byte[]> frames = StreamBed.Collect(server, Count);
        sender.Join();
        Assert.True(frames.Select((frame, number) => frame.AsSpan().SequenceEqual(TestFrames.Make(number, 100 + (number % 1000)))).All(isSame => isSame));
        Assert.Equal((Count, 0), (StreamBed.Statistics(server).ReceivedPackets, StreamBed.Statistics(server).KernelDrops));
    }

    [Fact]
    public void Link_PeerGoesAndComes_FollowsWithAReason()
    {
        IPort client = _bed.Open(_bed.Unix, PortRole.Client);
        PacketBatch batch = TestFrames.Batch(TestFrames.Make(1, 60));
        Assert.Equal((0, DropReason.LinkDown), (client.Transmit(batch, [0]), batch.ReasonOf(0)));
        StreamBed.Await(() => client.LinkReason.StartsWith($"no connection: {_bed.SocketPath}: ", StringComparison.Ordinal), client);
        Assert.Equal($"connects to {_bed.SocketPath}", client.Description);
        for (int round = 0; round < 3; round++)
        {
            IPort server = _bed.Open(_bed.Unix, PortRole.Server);
            Assert.Equal("no peer yet", server.Link == LinkState.Up ? "no peer yet" : server.LinkReason);
            StreamBed.AwaitLink(client, LinkState.Up);
            StreamBed.AwaitLink(server, LinkState.Up);
            Assert.Equal(("", 1), (client.LinkReason, StreamBed.Send(client, TestFrames.Make(round, 70))));
            Assert.Equal([TestFrames.Make(round, 70)], StreamBed.Collect(server, 1));
            _bed.Close(server);
            StreamBed.AwaitLink(client, LinkState.Down);
            Assert.StartsWith("the peer has closed the connection", StreamBed.EventsOf(client, "peer_closed") == round + 1
                ? "the peer has closed the connection" : client.LinkReason, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(_bed.SocketPath));
    }

    [Fact]
    public void Dispose_FramesQueued_ArriveBeforeTheEnd()
    {
        (IPort server, IPort client) = _bed.OpenBoth(StreamBed.FreeAddress(IPAddress.IPv6Loopback), isSecured: true, ringFrames: 256);
        byte[][] frames = [.. Enumerable.Range(1, 200).Select(number => TestFrames.Make(number, 1500))];
        PacketBatch batch = TestFrames.Batch(frames);
        Assert.Equal(200, client.Transmit(batch, TestFrames.All(batch)));
        client.Flush();
        _bed.Close(client);
        Assert.Equal(frames, StreamBed.Collect(server, 200));
        Assert.Equal(0, StreamBed.Statistics(client).TransmitLost);
    }

    [Fact]
    public void Transmit_PeerGoesWithFramesQueued_CountsThemAsLostAndSendsThemToNobodyElse()
    {
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        byte[] frame = TestFrames.Make(1, 1500);
        using (StreamBed.Connect(_bed.Unix))
        {
            StreamBed.AwaitLink(server, LinkState.Up);
            PacketBatch batch = TestFrames.Batch([.. Enumerable.Repeat(frame, 64)]);
            short[] all = TestFrames.All(batch);
            int accepted;
            do
            {
                accepted = server.Transmit(batch, all);
                server.Flush();
            }
            while (accepted > 0 || !server.Description.Contains("it has taken nothing for", StringComparison.Ordinal));
        }

        StreamBed.AwaitLink(server, LinkState.Down);
        StreamBed.Await(() => StreamBed.Statistics(server).TransmitLost >= 64, server);
        using NetworkStream next = StreamBed.Connect(_bed.Unix);
        StreamBed.AwaitLink(server, LinkState.Up);
        Assert.Equal(1, StreamBed.Send(server, TestFrames.Make(2, 60)));
        byte[] got = new byte[64];
        next.ReadExactly(got);
        Assert.Equal(StreamBed.Framed(TestFrames.Make(2, 60)), got);
    }

    [Fact]
    public void SetWaker_FrameComesWhileTheWorkerSleeps_WakesItOnce()
    {
        (IPort server, IPort client) = _bed.OpenBoth(_bed.Unix);
        var waker = new CountingWaker();
        server.SetWaker(waker);
        Assert.Empty(TestFrames.ReceiveAll(server));
        StreamBed.Send(client, TestFrames.Make(1, 60));
        StreamBed.Await(() => waker.Count == 1, server);
        Assert.Single(StreamBed.Collect(server, 1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TransmitAndReceive_ManyBatches_AllocateNothingOnTheWorkersThread(bool isSecured)
    {
        (IPort server, IPort client) = _bed.OpenBoth(_bed.Unix, isSecured, ringFrames: 1024);
        PacketBatch batch = TestFrames.Batch([.. Enumerable.Range(0, 16).Select(i => TestFrames.Make(i, 14 + (i * 90)))]), received = new();
        short[] all = TestFrames.All(batch);
        Allocations.AssertNone(1000, Round);

        // What the pool's side allocates does not grow with the frames: the smallest object has 24 bytes, and buffers are rented.
        const int Frames = 300_000;
        long before = GC.GetTotalAllocatedBytes(precise: true), end = StreamBed.Statistics(server).ReceivedPackets + Frames;
        while (StreamBed.Statistics(server).ReceivedPackets < end && server.Link == LinkState.Up)
        {
            Round();
            Thread.Yield();
        }

        long bytes = GC.GetTotalAllocatedBytes(precise: true) - before;
        Assert.Equal(LinkState.Up, server.Link);
        Assert.True(bytes < 8 * Frames, $"{bytes} bytes were allocated for {Frames} frames");

        void Round()
        {
            client.Transmit(batch, all);
            client.Flush();
            received.Clear(new PortId(0), 0);
            server.Receive(received);
            server.Release(received);
        }
    }

    [Fact]
    public void Open_AddressInUse_SaysHowToMendIt()
    {
        _bed.Open(_bed.Unix, PortRole.Server);
        LinuxException same = Assert.Throws<LinuxException>(() => _bed.Open(_bed.Unix, PortRole.Server));
        Assert.StartsWith($"bind(AF_UNIX) for port Server, {_bed.SocketPath} failed: EADDRINUSE", same.Message, StringComparison.Ordinal);
        Assert.Contains("another process listens there", same.Message, StringComparison.Ordinal);
        IPEndPoint tcp = StreamBed.FreeAddress(IPAddress.IPv6Loopback);
        _bed.Open(tcp, PortRole.Server);
        Assert.Contains("bind(AF_INET6)", Assert.Throws<LinuxException>(() => _bed.Open(tcp, PortRole.Server)).Message, StringComparison.Ordinal);
        LinuxException nowhere = Assert.Throws<LinuxException>(() => _bed.Open(new UnixDomainSocketEndPoint("/nowhere/s.sock"), PortRole.Server));
        Assert.Contains("check that the directory exists", nowhere.Message, StringComparison.Ordinal);
        LinuxException foreign = Assert.Throws<LinuxException>(() => _bed.Open(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 7000), PortRole.Server));
        Assert.Contains("no interface of this host has the address", foreign.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_FileOfADeadSocket_ReplacesIt()
    {
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint(_bed.SocketPath + "2"));
            File.Move(_bed.SocketPath + "2", _bed.SocketPath);
        }

        Assert.True(File.Exists(_bed.SocketPath));
        _bed.OpenBoth(_bed.Unix);
    }

    [Fact]
    public void Open_AbstractNameOrAllAddresses_Connects()
    {
        EndPoint name = StreamSockets.UnixAddress($"@dataplane-{Guid.NewGuid():N}");
        (IPort server, IPort client) = _bed.OpenBoth(name);
        Assert.NotEqual(server.Mac, client.Mac);
        int number = StreamBed.FreeAddress(IPAddress.IPv6Any).Port;
        IPort all = _bed.Open(new IPEndPoint(IPAddress.IPv6Any, number), PortRole.Server);
        IPort four = _bed.Open(new IPEndPoint(IPAddress.Loopback, number), PortRole.Client);
        StreamBed.AwaitLink(four, LinkState.Up);
        StreamBed.AwaitLink(all, LinkState.Up);
        Assert.StartsWith("127.0.0.1:", all.Description, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(575, 64)]
    [InlineData(65_001, 64)]
    [InlineData(1500, 1)]
    [InlineData(1500, 100)]
    [InlineData(1500, 131_072)]
    [InlineData(65_000, 65_536)]
    public void Open_OptionsOutOfRange_Throws(int mtu, int ringFrames) =>
        Assert.Throws<ArgumentException>(() => _bed.Open(_bed.Unix, PortRole.Client, ringFrames: ringFrames, mtu: mtu));

    [Fact]
    public void OpenAndClose_ManyTimes_LeaksNothing()
    {
        StreamTls one = _bed.Certificates.Make("server", "client.test"), other = _bed.Certificates.Make("client", "server.test");
        for (int i = 0; i < 20; i++)
            Cycle(i);
        (int descriptors, int threads) = (Descriptors(), Threads());
        for (int i = 0; i < (TestPorts.IsForAllCycles ? 3000 : 300); i++)
            Cycle(i);
        Assert.InRange(Descriptors(), 0, descriptors + 8);
        Assert.InRange(Threads(), 0, threads + 8);

        void Cycle(int number)
        {
            bool isSecured = number % 3 == 0;
            IPort server = _bed.Open(_bed.Unix, PortRole.Server, isSecured ? one : null);
            IPort client = _bed.Open(_bed.Unix, PortRole.Client, isSecured ? other : null);
            StreamBed.AwaitLink(client, LinkState.Up);
            StreamBed.AwaitLink(server, LinkState.Up);
            Assert.Equal(1, StreamBed.Send(client, TestFrames.Make(1, 60)));
            Assert.Single(StreamBed.Collect(server, 1));
            foreach (IPort port in number % 2 == 0 ? new[] { server, client } : [client, server])
                _bed.Close(port);
        }

        static int Descriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

        static int Threads() => Directory.GetFileSystemEntries("/proc/self/task").Length;
    }
}
