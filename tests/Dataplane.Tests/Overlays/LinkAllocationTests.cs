using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Overlays.LinkPlane;
using static Dataplane.Tests.Overlays.OverlayPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>Frames by links, whatever is wrong with them, make the engine allocate nothing.</summary>
[Collection(AllocationCollection.Name)]
public sealed class LinkAllocationTests
{
    [Fact]
    public async Task Worker_FramesByLinksBothWays_AllocatesNothing()
    {
        await using TestPlane plane = LinkPlane.Create();
        (string Port, byte[] Frame)[] frames =
        [
            ("a", Leaving("a", "r", 4).Udp(1, 2).Build()), ("a", Leaving("a", "s", 6).Tcp(1, 2).PayloadOf(700).Build()), ("c", Leaving("c", "t", 4).Udp(1, 2).Build()),
            ("l7", Framed(Coming("r", "a", 4).Udp(1, 2).Build())), ("l8", Framed(Coming("s", "a", 6).Tcp(1, 2).PayloadOf(700).Build())),
            ("l7", Framed(Coming("t", "c", 4).Udp(1, 2).Build(), RedVni)), ("l7", Framed(Coming("t", "c", 4).Udp(1, 2).Build(), 0x777)),
            ("l8", Framed(Coming("r", "a", 4).Udp(1, 2).Build())), ("l7", [1, 2, 3]),
        ];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        long passed = 0;
        for (int round = -2000; round < 3000; round++)
        {
            foreach ((string port, byte[] frame) in frames)
            {
                plane[port].TrySend(frame);
            }

            meter.Open();
            while (plane.Engine.RunOnce() > 0)
            {
            }

            meter.Close(counts: round >= 0);
            foreach (string port in (string[])["a", "c", "l7", "l8"])
            {
                while (plane[port].TryReceive(buffer, out _))
                {
                    passed++;
                }
            }
        }

        meter.AssertNone();
        Assert.Equal(5000 * 6, passed);
        Assert.Equal(5000, plane.Engine.ReadAccounting().DroppedFor(DropReason.OverlayUnknownVni));
        Assert.Equal(5000, plane.Engine.ReadAccounting().DroppedFor(DropReason.SpoofedMac));
        Assert.True(plane.Engine.ReadAccounting().IsBalanced);
    }
}
