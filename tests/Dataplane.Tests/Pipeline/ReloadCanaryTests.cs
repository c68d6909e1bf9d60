using System.Globalization;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Tests.Pipeline;

/// <summary>Two configurations in turn under load, each with a rule and a next hop of its own: a packet judged by the rule of one leaves to the next hop of the same.</summary>
public sealed class ReloadCanaryTests
{
    private const string FirstHop = "10.1.0.11", SecondHop = "10.1.0.12";
    private const int MostOnTheirWay = 256;

    private static readonly MacAddress s_firstMac = MacAddress.Parse("02:00:00:00:0b:01"), s_secondMac = MacAddress.Parse("02:00:00:00:0b:02");

    /// <summary>How many reloads; a soak asks for more.</summary>
    private static readonly int s_reloads = int.Parse(Environment.GetEnvironmentVariable("DATAPLANE_CANARY_RELOADS") ?? "60", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task UpdateAsync_UnderLoad_JudgesEachPacketByOneConfigurationAndLosesNone(int workers)
    {
        MemoryPort wan = new(), lan = new();
        await using DataplaneEngine engine = new DataplaneBuilder().Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan))
            .Interface("wan", "198.51.100.1/24").Interface("lan", "10.1.0.1/24")
            .Neighbour("lan", FirstHop, s_firstMac.ToString()).Neighbour("lan", SecondHop, s_secondMac.ToString())
            .Route("203.0.113.0/24", FirstHop).Workers(settings => settings with { Count = workers, FlowEntries = 4096 }).Build();
        await engine.StartAsync();
        await engine.UpdateAsync(spec => Turn(spec, isFirst: true));
        using var end = new CancellationTokenSource();
        Task<(long Sent, long First, long Second)> load = Task.Factory.StartNew(() => Load(wan, lan, end.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (int reload = 0; reload < s_reloads; reload++)
        {
            // Each configuration has judged some before the next one comes.
            long seen = lan.ReceivedFrames;
            while (lan.ReceivedFrames < seen + 20 && !load.IsCompleted)
            {
                await Task.Delay(1);
            }

            await engine.UpdateAsync(spec => Turn(spec, isFirst: reload % 2 != 0));
        }

        await end.CancelAsync();
        (long sent, long first, long second) = await load;
        Assert.Equal(sent, first + second);
        Assert.True(first >= 20 && second >= 20, $"{first} and {second} of {sent}");
        await engine.StopAsync();
        Dictionary<string, long> judged = engine.ReadRules().ToDictionary(rule => rule.Name, rule => rule.Packets);
        Assert.Equal((first, second), (judged["first"], judged["second"]));
        Assert.True(engine.ReadAccounting().IsBalanced);
        Assert.Equal((sent, sent, 0L), (engine.ReadAccounting().Received, engine.ReadAccounting().Transmitted, engine.ReadAccounting().Dropped));
    }

    /// <summary>Both rules match every packet, and the one that stands first counts it; the route leads where that configuration's packets go.</summary>
    private static DataplaneSpec Turn(DataplaneSpec spec, bool isFirst)
    {
        FilterRuleSpec first = new() { Name = "first", Action = FilterAction.Allow, ToPort = new PortRange(9, 9), Protocol = IpProtocols.Udp }, second = first with { Name = "second" };
        return spec with
        {
            Filter = new FilterSpec { Default = FilterAction.Deny, Rules = isFirst ? [first, second] : [second, first] },
            Routes = [new RouteSpec { To = IpPrefix.Parse("203.0.113.0/24"), Via = [new NextHopSpec { Address = IpAddress.Parse(isFirst ? FirstHop : SecondHop) }] }],
        };
    }

    /// <summary>Sends as fast as the packets come out again, so that no ring overflows; counts them by where they were led.</summary>
    private static (long Sent, long First, long Second) Load(MemoryPort wan, MemoryPort lan, CancellationToken end)
    {
        byte[] packet = PacketBuilder.Ethernet(MacAddress.Parse("02:00:00:00:01:64"), wan.Mac).Ip(IpAddress.Parse("198.51.100.7"), IpAddress.Parse("203.0.113.9")).Udp(7, 9).PayloadOf(20).Build();
        byte[] buffer = new byte[2048];
        long sent = 0, first = 0, second = 0, patience = Environment.TickCount64 + 60_000;
        while ((!end.IsCancellationRequested || first + second < sent) && Environment.TickCount64 < patience)
        {
            if (!end.IsCancellationRequested && sent - first - second < MostOnTheirWay && wan.TrySend(packet))
            {
                sent++;
            }

            while (lan.TryReceive(buffer, out int _))
            {
                bool isFirst = new MacAddress(buffer.AsSpan(0, 6).ToArray().Aggregate(0UL, (bits, part) => (bits << 8) | part)) == s_firstMac;
                first += isFirst ? 1 : 0;
                second += isFirst ? 0 : 1;
            }
        }

        return (sent, first, second);
    }
}
