using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Support;

/// <summary>The bed of tests that flows of translated packets come and go without an allocation: each round is 200 ms later and has the traffic of the next turn.</summary>
internal static class AllocationRounds
{
    /// <summary>Until a turn comes again, its flows have been idle for longer than two seconds.</summary>
    private const int Turns = 50;

    /// <summary>Has so many rounds of traffic, and as many before them in which code is compiled; then nothing may have been allocated, and flows must have ended.</summary>
    public static void Run(TestPlane plane, int rounds, Func<int, IEnumerable<(string Port, byte[] Frame)>> traffic, bool hasFlows = true)
    {
        (string Port, byte[] Frame)[][] turns = [.. Enumerable.Range(0, Turns).Select(turn => traffic(turn).ToArray())];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        for (int round = -rounds; round < rounds; round++)
        {
            plane.Clock.Advance(TimeSpan.FromMilliseconds(200));
            foreach ((string port, byte[] frame) in turns[(round + rounds) % turns.Length])
            {
                plane[port].TrySend(frame);
                meter.Open();
                while (plane.Engine.RunOnce() > 0)
                {
                }

                meter.Close(counts: round >= 0);
            }

            foreach (string port in new[] { "lan", "wan" })
            {
                while (plane[port].TryReceive(buffer, out _))
                {
                }
            }
        }

        meter.AssertNone();
        Assert.True(!hasFlows || plane.Engine.ReadFigures().FlowsExpired > 100);
    }
}
