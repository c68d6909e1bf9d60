using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Bridging.Frames;

namespace Dataplane.Tests.Bridging;

/// <summary>Nothing that comes by a bridge makes the engine allocate.</summary>
[Collection(AllocationCollection.Name)]
public sealed class BridgeAllocationTests
{
    [Fact]
    public async Task Worker_FramesOfAllKinds_AllocateNothing()
    {
        await using TestPlane plane = Create(spec => spec with { Entries = 64, Moves = 100, Unknown = 1_000_000 });
        byte[] buffer = new byte[2048];
        byte[][] frames =
        [
            Of(Host(2), Host(1)), Of(Everybody, Host(1)), Of(Group, Host(1), vlan: 5), Of(Host(99), Host(1)), Of(0x0180_C200_0000, Host(1)), Of(Host(1), Everybody), Of(Host(1), Host(3)),
            Of(Host(2), Host(4))[..13], Of(Host(2), Host(4), bytes: 1600),
        ];
        byte[] flooder = Of(Host(1), Host(0));
        var meter = new AllocationMeter();
        long left = 0;
        for (int round = -2000; round < 5000; round++)
        {
            Array.ForEach(frames, frame => plane["a"].TrySend(frame));
            plane["b"].TrySend(frames[1]);
            (flooder[10], flooder[11]) = ((byte)(round >> 8), (byte)round);
            plane["c"].TrySend(flooder);
            plane.Clock.Advance(TimeSpan.FromMilliseconds(20));
            meter.Open();
            while (plane.Engine.RunOnce() > 0)
            {
            }

            meter.Close(counts: round >= 0);
            foreach (string port in PortNames)
            {
                while (plane[port].TryReceive(buffer, out _))
                {
                    left++;
                }
            }
        }

        meter.AssertNone();
        Assert.True(left > 7000 * 8, $"{left} frames came out");
    }
}
