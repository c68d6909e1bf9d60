using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Ports;

/// <summary>Two ports of our own, one each role.</summary>
[Collection(MemifCollection.Name)]
public sealed class MemifPortTests : IDisposable
{
    private readonly MemifBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(1, 2048)]
    [InlineData(4, 128)]
    public void TransmitAndReceive_FramesOfAnyLength_ArriveBothWaysAsTheyWere(int queues, int bufferBytes)
    {
        const int Longest = 2000 + 18;
        (IPort server, IPort client) = _bed.OpenBoth(new MemifOptions { Queues = queues, RingEntries = 1024, BufferBytes = bufferBytes }, mtu: 2000);
        int number = 0;
        long sent = 0, bytes = 0;
        Gen<int[]> lengths = Gen.Choose(14, Longest).Or(Gen.Choose(14, 130)).Or(Gen.Elements(63, 64, 65, 127, 128, 129, 2017, Longest))
            .NonEmptyListOf().Select(list => list.Take(60).ToArray());
        Prop.ForAll(lengths.ToArbitrary(), Gen.Elements(false, true).ToArbitrary(), (batch, fromServer) =>
        {
            byte[][] frames = [.. batch.Select(length => TestFrames.Make(++number, length))];
            (IPort from, IPort to) = fromServer ? (server, client) : (client, server);
            Assert.Equal(frames.Length, MemifBed.Send(from, frames));
            List<byte[]> received = MemifBed.Collect(to, frames.Length);
            sent += frames.Length;
            bytes += frames.Sum(frame => frame.Length);
            Assert.Equal(frames.Order(Comparer<byte[]>.Create(Compare)), received.Order(Comparer<byte[]>.Create(Compare)));
            Assert.True(queues > 1 || frames.Zip(received).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second)), "order");
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));

        PortStatistics at = MemifBed.Statistics(server), of = MemifBed.Statistics(client);
        Assert.Equal((sent, bytes), (at.TransmittedPackets + of.TransmittedPackets, at.TransmittedBytes + of.TransmittedBytes));
        Assert.Equal((sent, bytes), (at.ReceivedPackets + of.ReceivedPackets, at.ReceivedBytes + of.ReceivedBytes));
        Assert.Equal((0L, 0L), (at.Errors + of.Errors, at.TransmitRefused + of.TransmitRefused));

        static int Compare(byte[]? left, byte[]? right) => left.AsSpan().SequenceCompareTo(right);
    }

    [Theory]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.UserWrite)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)]
    public void Open_ServerWithAMode_TheSocketHasItWhateverTheUmaskIs(UnixFileMode mode)
    {
        using IPort server = new MemifPortFactory(_bed.SocketPath, role: PortRole.Server) { SocketMode = mode }.Open("server");
        Assert.Equal(mode, File.GetUnixFileMode(_bed.SocketPath));
        MemifBed.AwaitLink(_bed.Open(PortRole.Client), LinkState.Up);
    }

    [Fact]
    public void Receive_ManyTimesAroundTheIndices_LosesNothing()
    {
        (IPort server, IPort client) = _bed.OpenBoth();
        byte[][] frames = [.. Enumerable.Range(0, 63).Select(i => TestFrames.Make(i, 64))];
        PacketBatch batch = TestFrames.Batch(frames), received = new();
        short[] all = TestFrames.All(batch);
        // 65,536 is where the indices overflow; 63 has no factor in common with the ring's length.
        for (long total = 0; total < 200_000; total += frames.Length)
        {
            Assert.Equal(frames.Length, client.Transmit(batch, all));
            client.Flush();
            Assert.Equal(frames, Take(server, received));
            Assert.Equal(frames.Length, server.Transmit(batch, all));
            server.Flush();
            Assert.Equal(frames, Take(client, received));
        }

        static List<byte[]> Take(IPort port, PacketBatch batch)
        {
            batch.Clear(new PortId(0), 0);
            port.Receive(batch);
            return TestFrames.Copy(batch);
        }
    }

    [Fact]
    public void Transmit_RingNeverDrained_DropsAndCountsUntilItIs()
    {
        (IPort server, IPort client) = _bed.OpenBoth();
        foreach ((IPort from, IPort to) in new[] { (client, server), (server, client) })
        {
            PacketBatch batch = TestFrames.Batch([.. Enumerable.Range(0, 100).Select(i => TestFrames.Make(i, 60))]);
            Assert.Equal(64, from.Transmit(batch, TestFrames.All(batch)));
            Assert.Equal((Verdict.Continue, DropReason.TransmitRingFull), (batch.VerdictOf(63), batch.ReasonOf(64)));
            from.Flush();
            Assert.Equal(0, MemifBed.Send(from, TestFrames.Make(1, 60)));
            Assert.Equal((64, 37), (MemifBed.Statistics(from).TransmittedPackets, MemifBed.Statistics(from).TransmitRefused));
            Assert.Equal(64, MemifBed.Collect(to, 64).Count);
            Assert.Equal((1, LinkState.Up), (MemifBed.Send(from, TestFrames.Make(1, 60)), from.Link));
            Assert.Single(MemifBed.Collect(to, 1));
        }
    }

    [Fact]
    public void Transmit_FrameTooLongForThePort_IsDroppedAloneAndTheOthersLeave()
    {
        (IPort server, IPort client) = _bed.OpenBoth();
        PacketBatch batch = TestFrames.Batch(TestFrames.Make(1, 60), TestFrames.Make(2, 1519), TestFrames.Make(3, 1518));
        Assert.Equal(2, client.Transmit(batch, [0, 1, 2]));
        client.Flush();
        Assert.Equal(DropReason.FrameTooLong, batch.ReasonOf(1));
        Assert.Equal([60, 1518], MemifBed.Collect(server, 2).Select(frame => frame.Length));
    }

    [Fact]
    public void Receive_FrameLongerThanThePortTakes_IsCountedAndPassedOver()
    {
        IPort server = _bed.Open(PortRole.Server), client = _bed.Open(PortRole.Client, mtu: 9000);
        MemifBed.AwaitLink(client, LinkState.Up);
        MemifBed.AwaitLink(server, LinkState.Up);
        Assert.Equal(3, MemifBed.Send(client, TestFrames.Make(1, 1519), TestFrames.Make(2, 9018), TestFrames.Make(3, 100)));
        Assert.Equal([TestFrames.Make(3, 100)], MemifBed.Collect(server, 1));
        Assert.Equal((2, LinkState.Up), (MemifBed.Statistics(server).Errors, server.Link));
    }

    [Fact]
    public void Link_PeerGoesAndComes_FollowsWithAReason()
    {
        IPort client = _bed.Open(PortRole.Client);
        PacketBatch batch = TestFrames.Batch(TestFrames.Make(1, 60));
        Assert.Equal((LinkState.Down, "no peer yet"), (client.Link, client.LinkReason));
        Assert.Equal((0, DropReason.LinkDown), (client.Transmit(batch, [0]), batch.ReasonOf(0)));
        for (int round = 0; round < 3; round++)
        {
            IPort server = _bed.Open(PortRole.Server);
            MemifBed.AwaitLink(client, LinkState.Up);
            MemifBed.AwaitLink(server, LinkState.Up);
            Assert.Equal(("", 1), (client.LinkReason, MemifBed.Send(client, TestFrames.Make(round, 70))));
            Assert.Equal([TestFrames.Make(round, 70)], MemifBed.Collect(server, 1));
            _bed.Close(server);
            MemifBed.AwaitLink(client, LinkState.Down);
            Assert.Equal("the peer has disconnected: \"the port was closed\"", client.LinkReason);
        }

        Assert.False(File.Exists(_bed.SocketPath));
    }

    [Fact]
    public void Open_SecretsAndIds_OnlyTheRightOnesConnect()
    {
        IPort first = _bed.Open(PortRole.Server, new MemifOptions { Secret = "sesame" }), second = _bed.Open(PortRole.Server, id: 7);
        IPort wrong = _bed.Open(PortRole.Client, new MemifOptions { Secret = "sesam" });
        MemifBed.Await(() => wrong.LinkReason == "the peer has disconnected: \"secret missing or wrong\"");
        _bed.Close(wrong);
        IPort unknown = _bed.Open(PortRole.Client, id: 8);
        MemifBed.Await(() => unknown.LinkReason == "the peer has disconnected: \"no server port has this id on this socket\"");
        IPort right = _bed.Open(PortRole.Client, new MemifOptions { Secret = "sesame" }), other = _bed.Open(PortRole.Client, id: 7);
        foreach (IPort port in new[] { first, second, right, other })
            MemifBed.AwaitLink(port, LinkState.Up);
        IPort late = _bed.Open(PortRole.Client, id: 7);
        MemifBed.Await(() => late.LinkReason == "the peer has disconnected: \"the port has a peer already\"");
        Assert.Equal(1, MemifBed.Send(other, TestFrames.Make(1, 60)));
        Assert.Single(MemifBed.Collect(second, 1));
    }

    [Fact]
    public void Open_SocketPathInUse_SaysByWhomAndHowToMendIt()
    {
        _bed.Open(PortRole.Server);
        LinuxException same = Assert.Throws<LinuxException>(() => _bed.Open(PortRole.Server));
        Assert.Contains("port Server has this id on this socket: give each its own", same.Message, StringComparison.Ordinal);
        string foreign = _bed.SocketPath + "2";
        using (FileDescriptor listener = UnixSocket.Listen(foreign))
        {
            LinuxException taken = Assert.Throws<LinuxException>(() => new MemifPortFactory(foreign, role: PortRole.Server).Open("x"));
            Assert.Contains("another process listens there", taken.Message, StringComparison.Ordinal);
        }

        // The file is still there, but nobody listens any more.
        Assert.True(File.Exists(foreign));
        new MemifPortFactory(foreign, role: PortRole.Server).Open("x").Dispose();
        Assert.False(File.Exists(foreign));
        LinuxException nowhere = Assert.Throws<LinuxException>(() => new MemifPortFactory("/nowhere/m.sock", role: PortRole.Server).Open("x"));
        Assert.Contains("check that the directory exists", nowhere.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AbstractName_ConnectsWithoutAFile()
    {
        string name = $"@dataplane-{Guid.NewGuid():N}";
        using IPort server = new MemifPortFactory(name, role: PortRole.Server).Open("server"), client = new MemifPortFactory(name).Open("client");
        MemifBed.AwaitLink(client, LinkState.Up);
        Assert.NotEqual(server.Mac, client.Mac);
    }

    [Theory]
    [InlineData(0, 64, 2048, "")]
    [InlineData(17, 64, 2048, "")]
    [InlineData(1, 1, 2048, "")]
    [InlineData(1, 100, 2048, "")]
    [InlineData(1, 32_768, 2048, "")]
    [InlineData(1, 64, 100, "")]
    [InlineData(16, 16_384, 65_472, "")]
    [InlineData(1, 64, 2048, "a secret of more than 24 bytes")]
    public void Open_OptionsOutOfRange_Throws(int queues, int entries, int bufferBytes, string secret) => Assert.Throws<ArgumentException>(() =>
        _bed.Open(PortRole.Client, new MemifOptions { Queues = queues, RingEntries = entries, BufferBytes = bufferBytes, Secret = secret }));

    [Fact]
    public void PrepareSleep_FrameComes_MakesTheDescriptorReadableAndNotBefore()
    {
        (IPort server, IPort client) = _bed.OpenBoth();
        foreach ((IPort from, IPort to) in new[] { (client, server), (server, client) })
        {
            Assert.Equal(1, MemifBed.Send(from, TestFrames.Make(1, 60)));
            Assert.Single(MemifBed.Collect(to, 1));
            Assert.False(IsReadable(to));

            // Awake: the sender makes no system call.
            MemifBed.Send(from, TestFrames.Make(2, 60));
            Assert.False(IsReadable(to));
            Assert.Single(MemifBed.Collect(to, 1));
            to.PrepareSleep();
            Assert.False(IsReadable(to));
            MemifBed.Send(from, TestFrames.Make(3, 60));
            Assert.True(IsReadable(to));
            Assert.Single(MemifBed.Collect(to, 1));
            Assert.False(IsReadable(to));
        }

        static bool IsReadable(IPort port)
        {
            using var wake = new EventDescriptor();
            using var poller = new Poller([port.PollDescriptor!], wake);
            return poller.Wait(0) == 1;
        }
    }

    [Fact]
    public void TransmitAndReceive_ManyBatches_AllocateNothing()
    {
        (IPort server, IPort client) = _bed.OpenBoth(new MemifOptions { Queues = 2, RingEntries = 64 });
        PacketBatch batch = TestFrames.Batch([.. Enumerable.Range(0, 16).Select(i => TestFrames.Make(i, 14 + (i * 100)))]), received = new();
        short[] all = TestFrames.All(batch);
        Allocations.AssertNone(1000, () =>
        {
            client.Transmit(batch, all);
            client.Flush();
            received.Clear(new PortId(0), 0);
            server.Receive(received);
            server.Release(received);
            server.PrepareSleep();
        });
    }

    [Fact]
    public void OpenAndClose_AThousandTimes_LeaksNothing()
    {
        Cycle();
        int descriptors = Descriptors(), mappings = Mappings(), threads = Threads();
        for (int i = 0; i < (TestPorts.IsForAllCycles ? 1000 : 500); i++)
            Cycle();
        Assert.InRange(Descriptors(), 0, descriptors + 4);
        Assert.InRange(Mappings(), 0, mappings + 40);
        Assert.InRange(Threads(), 0, threads + 8);

        void Cycle()
        {
            IPort server = _bed.Open(PortRole.Server), client = _bed.Open(PortRole.Client);
            MemifBed.AwaitLink(client, LinkState.Up);
            MemifBed.AwaitLink(server, LinkState.Up);
            Assert.Equal(1, MemifBed.Send(client, TestFrames.Make(1, 60)));
            Assert.Single(MemifBed.Collect(server, 1));
            _bed.Close(server);
            _bed.Close(client);
        }

        static int Descriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

        static int Threads() => Directory.GetFileSystemEntries("/proc/self/task").Length;

        // Only what memif shares: the runtime maps and unmaps as it likes.
        static int Mappings() => File.ReadLines("/proc/self/maps").Count(line => line.Contains("memif", StringComparison.Ordinal));
    }
}
