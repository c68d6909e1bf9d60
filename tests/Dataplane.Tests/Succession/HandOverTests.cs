using System.Text;
using Dataplane.Balancing;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Snapshots;
using Dataplane.Succession;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Succession;

/// <summary>One engine ends and another goes on where it stopped; a successor that comes to nothing changes nothing.</summary>
/// <remarks>Ports are in memory, so they are closed and opened again; those that are passed are in Dataplane.SystemTests. Backends are chosen in turn, so that
/// nothing but the flows themselves can lead a packet back to its backend.</remarks>
public sealed class HandOverTests : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _path = $"@dataplane-test-{Guid.NewGuid():N}";
    private readonly MemoryPort _wan = new(new MemoryPortOptions { Mac = TestPlane.WanMac }), _lan = new(new MemoryPortOptions { Mac = TestPlane.LanMac });
    private readonly CancellationTokenSource _end = new();
    private ServiceNet _net = ServiceNet.V4;

    /// <summary>How far a successor comes before it dies.</summary>
    public enum Moment
    {
        Connected,
        Greeted,
        Offered,
        Chosen,
        Loaded,
        Stopped,
    }

    [Theory]
    [InlineData(4, 1, 1)]
    [InlineData(6, 1, 1)]
    [InlineData(4, 3, 2)]
    [InlineData(6, 1, 3)]
    public async Task StartAfterAsync_OfARunningEngine_GoesOnWithItsFlows(int family, int workersBefore, int workersAfter)
    {
        _net = ServiceNet.Of(family);
        await using DataplaneEngine first = Make(workersBefore), second = Make(workersAfter);
        await first.StartAsync();
        Dictionary<ushort, byte[]> homes = [];
        for (ushort port = 2000; port < 2040; port++)
        {
            await SendForOneAsync(port, TcpFlags.Syn);
            homes[port] = await SendForOneAsync(port, TcpFlags.Ack);
        }

        Task handed = first.HandOverAsync(_path);
        HandOverReceipt receipt = await second.StartAfterAsync(_path);
        await handed.WaitAsync(s_patience);
        Assert.Equal((HandOverOutcome.TakenOver, 40L, 0L, 0L), (receipt.Outcome, receipt.State.Flows, receipt.State.WithoutBackend, receipt.State.WithoutRoom));
        Assert.Equal(["wan", "lan"], receipt.PortsReopened);
        Assert.Empty(receipt.PortsPassed);
        Assert.True(receipt.Blocked > TimeSpan.Zero);
        Assert.Equal((EngineState.Stopped, EngineState.Running), (first.State, second.State));
        foreach ((ushort port, byte[] expected) in homes.Reverse())
        {
            ServiceNet.Same(expected, await SendForOneAsync(port, TcpFlags.Ack));
        }

        Assert.False(receipt.PredecessorEnded.IsCompleted);
        await first.DisposeAsync();
        await receipt.PredecessorEnded.WaitAsync(s_patience);
        await second.StopAsync();
        Assert.All([first.ReadAccounting(), second.ReadAccounting()], account => Assert.True(account.IsBalanced));
        Assert.Equal((80L, 40L), (first.ReadAccounting().Transmitted, second.ReadAccounting().Transmitted));
    }

    [Theory]
    [InlineData(Moment.Connected)]
    [InlineData(Moment.Greeted)]
    [InlineData(Moment.Offered)]
    [InlineData(Moment.Chosen)]
    [InlineData(Moment.Loaded)]
    [InlineData(Moment.Stopped)]
    public async Task HandOverAsync_ToASuccessorThatDies_GoesOnAndCanHandOverAgain(Moment moment)
    {
        await using DataplaneEngine first = Make(2), second = Make(1);
        await first.StartAsync();
        await SendForOneAsync(2000, TcpFlags.Syn);
        byte[] expected = await SendForOneAsync(2000, TcpFlags.Ack);
        var told = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task handed = first.HandOverAsync(_path, why => told.TrySetResult(why), _end.Token);
        using (var dying = new SuccessionChannel(await ConnectAsync()))
        {
            await Task.Run(() => Follow(dying, moment));
        }

        Assert.Contains("hand-over: ", await told.Task.WaitAsync(s_patience), StringComparison.Ordinal);
        ServiceNet.Same(expected, await SendForOneAsync(2000, TcpFlags.Ack));
        Assert.Equal((false, EngineState.Running), (handed.IsCompleted, first.State));
        HandOverReceipt receipt = await second.StartAfterAsync(_path);
        await handed.WaitAsync(s_patience);
        Assert.Equal((HandOverOutcome.TakenOver, 1L), (receipt.Outcome, receipt.State.Flows));
        ServiceNet.Same(expected, await SendForOneAsync(2000, TcpFlags.Ack));
        Assert.True(first.ReadAccounting().IsBalanced);
    }

    [Fact]
    public async Task HandOverAsync_ToAnotherVersion_EndsOnlyWhenThatAsksForIt()
    {
        await using DataplaneEngine first = Make(1);
        await first.StartAsync();
        Task handed = first.HandOverAsync(_path);
        byte[] hello = SuccessionHello.Write();
        hello[^12]++;
        for (int times = 0; times < 2; times++)
        {
            using var other = new SuccessionChannel(await ConnectAsync());
            Assert.True(other.Send(SuccessionKind.Hello, hello));
            SuccessionMessage answer = await Task.Run(() => other.Receive(s_patience));
            Assert.Equal((SuccessionKind.Refused, "hand-over version 3, the running process has 2"), (answer.Kind, Encoding.UTF8.GetString(answer.Body)));
            Assert.False(handed.IsCompleted);
            if (times == 1)
            {
                Assert.True(other.Send(SuccessionKind.End));
                await handed.WaitAsync(s_patience);
            }
        }

        Assert.Equal(EngineState.Stopped, first.State);
    }

    [Fact]
    public async Task StartAfterAsync_OfOneThatRefuses_StartsColdAndSaysWhy()
    {
        using FileDescriptor listener = UnixSocket.Listen(_path);
        await using DataplaneEngine second = Make(1);
        Task<HandOverReceipt> starting = second.StartAfterAsync(_path);
        FileDescriptor? socket;
        while ((socket = UnixSocket.TryAccept(listener)) is null)
        {
            await Task.Delay(5);
        }

        using (var older = new SuccessionChannel(socket))
        {
            Assert.Equal("", SuccessionHello.WhyNot((await Task.Run(() => older.Expect(SuccessionKind.Hello, s_patience))).Body));
            Assert.True(older.Send(SuccessionKind.Refused, "state version 1, the running process has 0"u8));
            await Task.Run(() => older.Expect(SuccessionKind.End, s_patience));
            Assert.Equal(EngineState.Created, second.State);
        }

        HandOverReceipt receipt = await starting.WaitAsync(s_patience);
        Assert.Equal("refused (state version 1, the running process has 0): cold start", receipt.ToString());
        Assert.Equal(EngineState.Running, second.State);
    }

    [Fact]
    public async Task StartAfterAsync_OfNobody_StartsWithTheStateGiven()
    {
        using var state = new MemoryStream();
        await using (DataplaneEngine first = Make(1))
        {
            await first.StartAsync();
            await SendForOneAsync(2000, TcpFlags.Syn);
            await first.SaveStateAsync(state);
        }

        state.Position = 0;
        await using DataplaneEngine second = Make(1);
        HandOverReceipt receipt = await second.StartAfterAsync(_path, state);
        Assert.Equal((HandOverOutcome.Alone, 1L), (receipt.Outcome, receipt.State.Flows));
        await using DataplaneEngine third = MakeElsewhere();
        Assert.Equal("nobody is there: cold start", (await third.StartAfterAsync(_path)).ToString());
    }

    [Fact]
    public async Task HandOverAsync_AtAPath_IsForTheOwnerAloneAndLeavesNoFile()
    {
        string path = Path.Combine(Path.GetTempPath(), $"dataplane-{Guid.NewGuid():N}.sock");
        await using DataplaneEngine first = Make(1), second = MakeElsewhere();
        await first.StartAsync();
        await second.StartAsync();
        Task handed = first.HandOverAsync(path, null, _end.Token);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        await Assert.ThrowsAsync<LinuxException>(() => second.HandOverAsync(path));
        await _end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => handed.WaitAsync(s_patience));
        Assert.False(File.Exists(path));
        Assert.Equal(EngineState.Running, first.State);
    }

    /// <summary>Flows of which a packet was seen take the place of what they were; others are not in the second pass.</summary>
    [Fact]
    public async Task Passes_AfterTheFirst_HaveWhatHasChanged()
    {
        await using DataplaneEngine first = Make(1);
        await first.StartAsync();
        for (ushort port = 2000; port < 2010; port++)
        {
            await SendForOneAsync(port, TcpFlags.Syn);
        }

        Task handed = first.HandOverAsync(_path, null, _end.Token);
        using var channel = new SuccessionChannel(await ConnectAsync());
        Follow(channel, Moment.Chosen);
        StateRefusal refusal = StateReader.Open(SuccessionChannel.BytesOf(channel.Expect(SuccessionKind.Flows, s_patience)), out StateReader all);
        Assert.Equal((StateRefusal.None, 10), (refusal, Count(all)));

        // Later than the ticks by which the first pass is too careful.
        await Task.Delay(120);
        byte[] home = await SendForOneAsync(2003, TcpFlags.Ack);
        channel.Send(SuccessionKind.Loaded);
        SuccessionMessage message;
        int changed = 0;
        while ((message = channel.Receive(s_patience)).Kind != SuccessionKind.Stopped)
        {
            if (message.Kind is SuccessionKind.Flows or SuccessionKind.LastFlows)
            {
                Assert.Equal(StateRefusal.None, StateReader.Open(SuccessionChannel.BytesOf(message), out StateReader some));
                changed = Math.Max(changed, Count(some));
                if (message.Kind == SuccessionKind.Flows)
                {
                    channel.Send(SuccessionKind.Loaded);
                }
            }
        }

        Assert.InRange(changed, 1, 10);
        channel.Send(SuccessionKind.Taken);
        await handed.WaitAsync(s_patience);
        Assert.NotEmpty(home);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _end.Dispose();
    }

    /// <summary>Does what a successor does, up to a moment.</summary>
    private static void Follow(SuccessionChannel channel, Moment until)
    {
        if (until == Moment.Connected)
        {
            return;
        }

        channel.Send(SuccessionKind.Hello, SuccessionHello.Write());
        if (until == Moment.Greeted)
        {
            return;
        }

        Assert.Equal(0, BitConverter.ToInt32(channel.Expect(SuccessionKind.Welcome, s_patience).Body, sizeof(ulong)));
        if (until == Moment.Offered)
        {
            return;
        }

        channel.Send(SuccessionKind.Takes);
        Knowledge.FromBytes(SuccessionChannel.BytesOf(channel.Expect(SuccessionKind.Knowledge, s_patience)));
        while (until > Moment.Chosen)
        {
            SuccessionMessage message = channel.Receive(s_patience);
            message.Passed?.Dispose();
            if (message.Kind == SuccessionKind.Stopped || (until == Moment.Loaded && message.Kind == SuccessionKind.Flows))
            {
                return;
            }

            Assert.NotEqual(SuccessionKind.Gone, message.Kind);
            if (message.Kind == SuccessionKind.Flows)
            {
                channel.Send(SuccessionKind.Loaded);
            }
        }
    }

    private static int Count(StateReader reader)
    {
        int count = 0;
        while (reader.TryRead(out _))
        {
            count++;
        }

        return count;
    }

    private async Task<FileDescriptor> ConnectAsync()
    {
        FileDescriptor? socket;
        while ((socket = UnixSocket.TryConnect(_path)) is null)
        {
            await Task.Delay(5);
        }

        return socket;
    }

    private DataplaneEngine Make(int workers) => Build(_wan, _lan, workers);

    private DataplaneEngine MakeElsewhere() => Build(new MemoryPort(), new MemoryPort(), 1);

    private DataplaneEngine Build(MemoryPort wan, MemoryPort lan, int workers)
    {
        DataplaneBuilder builder = new DataplaneBuilder().Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan));
        TestPlane.AddAddresses(builder, withNeighbours: true);
        return _net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13).Workers(settings => settings with { Count = workers }).Build();
    }

    /// <summary>Sends a segment to the service and returns what leaves to a backend.</summary>
    private async Task<byte[]> SendForOneAsync(ushort port, TcpFlags flags)
    {
        Assert.True(_wan.TrySend(_net.FromClient().Tcp(port, 80, flags).PayloadOf(9).Build()));
        byte[] buffer = new byte[2048];
        int length;
        for (long end = Environment.TickCount64 + (long)s_patience.TotalMilliseconds; !_lan.TryReceive(buffer, out length); await Task.Delay(1))
        {
            Assert.True(Environment.TickCount64 < end, "nothing left");
        }

        return buffer[..length];
    }
}
