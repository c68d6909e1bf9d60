using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.Tests.Pipeline;

/// <summary>How long a worker was away from its ports, by a clock that only a stage advances: the longest round, told once.</summary>
public sealed class LongestPauseTests
{
    [Fact]
    public async Task TakeLongestPause_AfterARoundThatTookLong_TellsItOnce()
    {
        var clock = new TestClock();
        var slow = new SlowStage(clock, TimeSpan.FromMilliseconds(7));
        MemoryPort wan = new(), lan = new();
        await using DataplaneEngine engine = new DataplaneBuilder().Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan))
            .Interface("wan", "198.51.100.1/24").Interface("lan", "10.1.0.1/24").UseTimeProvider(clock).Stage(StagePosition.AfterParse, slow).Build();
        Assert.Equal(TimeSpan.Zero, engine.TakeLongestPause());
        await engine.StartAsync();
        Assert.Equal(TimeSpan.Zero, engine.TakeLongestPause());
        wan.TrySend(PacketBuilder.Ethernet("02:00:00:00:01:64", wan.Mac.ToString()).Ipv4("198.51.100.7", "203.0.113.9").Udp(7, 9).Build());
        while (engine.ReadAccounting().Received == 0 || engine.ReadWorkers()[0].BusyRounds == 0)
        {
            await Task.Delay(1);
        }

        Assert.Equal(TimeSpan.FromMilliseconds(7), engine.TakeLongestPause());
        Assert.Equal(TimeSpan.Zero, engine.TakeLongestPause());
    }

    private sealed class SlowStage(TestClock clock, TimeSpan takes) : IStage
    {
        public string Name => "slow";

        public void Process(PacketBatch batch) => clock.Advance(takes);
    }
}
