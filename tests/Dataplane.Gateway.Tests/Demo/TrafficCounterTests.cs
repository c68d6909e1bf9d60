using System.Diagnostics;
using Dataplane.Gateway.Demo.Traffic;

namespace Dataplane.Gateway.Tests.Demo;

public class TrafficCounterTests
{
    [Fact]
    public void Read_AnswersAndFailures_AreCountedSinceTheStart()
    {
        var counter = new TrafficCounter();
        for (int i = 0; i < 3; i++)
        {
            counter.CountOk(Stopwatch.GetTimestamp());
            counter.CountFailed();
            Assert.Equal((i + 1L, i + 1L), (counter.Read().Ok, counter.Read().Failed));
        }
    }

    [Fact]
    public void Read_KnownLatency_IsWithinItsBucket()
    {
        var counter = new TrafficCounter();

        // An hour ago: what the machine does meanwhile does not count against it.
        long hourAgo = Stopwatch.GetTimestamp() - (3600 * Stopwatch.Frequency);
        for (int i = 0; i < 100; i++)
        {
            counter.CountOk(hourAgo);
        }

        TrafficFigures figures = counter.Read();
        Assert.Equal(figures.P50Us, figures.P99Us);
        Assert.InRange(figures.P50Us, 549.7e6, 549.8e6 * 2);
    }

    [Fact]
    public void Read_AfterFourReadings_ForgetsLatenciesButNotCounts()
    {
        var counter = new TrafficCounter();
        counter.CountOk(Stopwatch.GetTimestamp());
        TrafficFigures[] read = [.. Enumerable.Range(0, 6).Select(_ => counter.Read())];
        Assert.All(read, figures => Assert.Equal(1, figures.Ok));
        Assert.All(read[..4], figures => Assert.True(figures.P50Us > 0));
        Assert.All(read[4..], figures => Assert.Equal(0, figures.P50Us));
    }
}
