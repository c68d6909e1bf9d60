using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Conformance;

/// <summary>Plays cases through in-memory ports under a clock of its own.</summary>
internal sealed class MemoryBed(TestPlane plane) : ICaseBed
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1), s_tick = TimeSpan.FromMilliseconds(100), s_sweep = TimeSpan.FromSeconds(62);

    public IReadOnlyList<(string Port, byte[] Frame)> Exchange(string port, byte[] frame, int frames, DropReason reason, int drops)
    {
        Accounting before = plane.Engine.ReadAccounting();
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send(port, frame);
        Accounting after = plane.Engine.ReadAccounting();
        foreach (DropReason other in Enum.GetValues<DropReason>())
        {
            long dropped = after.DroppedFor(other) - before.DroppedFor(other), wanted = other == reason && reason != DropReason.None ? drops : 0;
            Assert.True(dropped == wanted, $"{other.ToName()}: {dropped} dropped, {wanted} expected");
        }

        return sent;
    }

    public void Wait(TimeSpan time)
    {
        // Seconds at first, so that two hours pass quickly; then every timer has its turns, for long enough that all flows have been looked at.
        for (TimeSpan left = time; left > TimeSpan.Zero;)
        {
            TimeSpan step = left > s_sweep ? s_second : s_tick;
            plane.Clock.Advance(step);
            Assert.Empty(plane.Run());
            left -= step;
        }
    }

    public void Update(Func<DataplaneSpec, DataplaneSpec> change)
    {
        Task update = plane.Engine.UpdateAsync(change);
        Assert.Empty(plane.Run());
        update.GetAwaiter().GetResult();
    }

    public void End() => Assert.Empty(plane.Run());

    public void AssertSame(IReadOnlyList<(string Port, byte[] Frame)> expected, IReadOnlyList<(string Port, byte[] Frame)> actual) => CaseFrames.AssertSame(expected, actual);
}
