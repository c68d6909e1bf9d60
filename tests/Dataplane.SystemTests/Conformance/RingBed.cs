using System.Diagnostics;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Conformance;

namespace Dataplane.SystemTests.Conformance;

/// <summary>Plays cases through the rings of AF_PACKET ports of a running engine.</summary>
internal sealed class RingBed(Wire wire, DataplaneEngine engine) : ICaseBed
{
    /// <summary>Far more than any packet needs, so that a loaded machine does not matter.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    public IReadOnlyList<(string Port, byte[] Frame)> Exchange(string port, byte[] frame, int frames, DropReason reason, int drops)
    {
        Accounting before = engine.ReadAccounting();
        var came = new List<(string Port, byte[] Frame)>();
        wire.Send(port, frame);
        var watch = Stopwatch.StartNew();
        while (true)
        {
            wire.Take(came);
            Accounting after = engine.ReadAccounting();
            long dropped = after.DroppedFor(reason) - before.DroppedFor(reason);
            bool isDone = after.Received > before.Received && after.IsBalanced && after.Transmitted - before.Transmitted == came.Count && came.Count >= frames && dropped >= drops;
            if (isDone || watch.Elapsed > s_patience)
            {
                Assert.True(dropped == drops, $"{reason.ToName()}: {dropped} dropped, {drops} expected; left: {came.Count}; {after}");
                Assert.Equal(before.Received + 1, after.Received);
                return came;
            }

            Thread.Yield();
        }
    }

    public void Wait(TimeSpan time) => throw new NotSupportedException("Cases in which time passes are played under a clock of their own.");

    public void Update(Func<DataplaneSpec, DataplaneSpec> change) => throw new NotSupportedException("Cases that change the configuration have an engine each.");

    public void End()
    {
        var late = new List<(string Port, byte[] Frame)>();
        wire.Take(late);
        AssertSame([], late);
    }

    public void AssertSame(IReadOnlyList<(string Port, byte[] Frame)> expected, IReadOnlyList<(string Port, byte[] Frame)> actual) => CaseFrames.AssertSame(expected, actual);
}
