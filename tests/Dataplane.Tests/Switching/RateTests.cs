using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Endpoints send and receive what they may and no more, and are counted.</summary>
public sealed class RateTests
{
    /// <summary>1,042 bytes over IPv4, as the engine sees the frame.</summary>
    private static PacketBuilder Packet(string from, string to) => Direct(from, to, 4).Udp(1, 2).PayloadOf(1000);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rate_Exceeded_PassesTheBurstAndThenTheRate(bool isSender)
    {
        // 8 Mbit/s are 1,000 bytes a millisecond.
        var rate = new RateSpec { Out = isSender ? 8_000_000 : null, OutBurst = isSender ? 10_420 : null, In = isSender ? null : 8_000_000, InBurst = isSender ? null : 10_420 };
        await using TestPlane plane = Create(blue => blue with
        {
            Endpoints = [.. blue.Endpoints.Select(endpoint => endpoint.Name == (isSender ? "a" : "b") ? endpoint with { Rate = rate } : endpoint)],
        });
        Assert.Equal(10, Offer(plane, 30));
        Assert.Equal(0, Offer(plane, 1));
        plane.Clock.Advance(TimeSpan.FromMilliseconds(10));
        Assert.Equal(9, Offer(plane, 30));
        plane.Clock.Advance(TimeSpan.FromSeconds(100));
        Assert.Equal(10, Offer(plane, 30));

        // The other direction has no limit, and another endpoint neither.
        for (int i = 0; i < 50; i++)
        {
            plane.SendForOne("b", Packet("b", "a").Build(), "a");
        }

        EndpointStatus sender = plane.Engine.ReadEndpoints().Single(endpoint => endpoint.Name == "a"), receiver = plane.Engine.ReadEndpoints().Single(endpoint => endpoint.Name == "b");
        Assert.Equal((91L, 91 * 1042L, 50L), (sender.SentFrames, sender.SentBytes, sender.ReceivedFrames));
        Assert.Equal((29L, 29 * 1042L, 50L), (receiver.ReceivedFrames, receiver.ReceivedBytes, receiver.SentFrames));
        Assert.Equal(62, isSender ? sender.SentLimited : receiver.ReceivedLimited);
        Assert.Equal(62, plane.Engine.ReadAccounting().DroppedFor(DropReason.RateLimited));
    }

    [Fact]
    public async Task Rate_SmallerThanAFrame_NeverStopsArp()
    {
        await using TestPlane plane = Create(blue => blue with { Endpoints = [blue.Endpoints[0] with { Rate = new RateSpec { Out = 1000, OutBurst = 1600 } }, blue.Endpoints[1]] });
        Offer(plane, 5);
        plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.1").Build(), "a");
    }

    [Fact]
    public async Task Update_ThatLeavesTheRate_LeavesBucketAndCounters()
    {
        await using TestPlane plane = Create(blue => blue with { Endpoints = [blue.Endpoints[0] with { Rate = new RateSpec { Out = 8_000, OutBurst = 2084 } }, blue.Endpoints[1]] });
        Assert.Equal(2, Offer(plane, 5));
        await plane.Engine.UpdateAsync(spec => spec with { Networks = [spec.Networks[0] with { Mtu = 1400 }, spec.Networks[1]] });
        Assert.Equal(0, Offer(plane, 5));
        Assert.Equal(10, plane.Engine.ReadEndpoints()[0].SentFrames);
        await plane.Engine.UpdateAsync(spec => spec with
        {
            Networks = [spec.Networks[0] with { Endpoints = [spec.Networks[0].Endpoints[0] with { Rate = null }, spec.Networks[0].Endpoints[1]] }, spec.Networks[1]],
        });
        Assert.Equal(5, Offer(plane, 5));
    }

    [Fact]
    public async Task Spoofed_OfEveryKind_IsCountedAtTheEndpoint()
    {
        await using TestPlane plane = Create();
        plane.Send("a", Direct("b", "a", 4).Udp(1, 2).Build());
        plane.Send("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.3", "10.89.0.1").Build());
        plane.Send("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ipv4("10.89.0.9", "10.89.0.1").Udp(1, 2).Build());
        Assert.Equal(3, plane.Engine.ReadEndpoints()[0].Spoofed);
    }

    /// <summary>In any time, no more passes than the burst and what the rate allows; and that much does, if enough is offered.</summary>
    [Fact]
    public void Limiter_AnyArrivals_KeepsToTheRate()
    {
        Gen<(int GapUs, int Bytes)> arrivals = from gap in Gen.Choose(0, 3000) from bytes in Gen.Choose(60, 1514) select (gap, bytes);
        Prop.ForAll(Gen.Choose(100, 100_000).ToArbitrary(), arrivals.ListOf(300).ToArbitrary(), (kbit, list) =>
        {
            var limiter = new RateLimiter(kbit * 1000L, 3000);
            long now = 5_000_000, begun = now, passed = 0, offered = 0;
            foreach ((int gap, int bytes) in list)
            {
                now += gap * 1000L;
                offered += bytes;
                passed += limiter.TryTake(now, bytes) ? bytes : 0;
                double allowed = 3000 + ((now - begun) * (kbit * 1000.0 / 8e9));
                Assert.True(passed <= allowed + 1, $"{passed} of {allowed}");
            }

            // A bucket that refuses a frame has less than that in it.
            Assert.True(passed >= Math.Min(offered, 3000 - 1514));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));
    }

    [Fact]
    public void Limiter_FrameLargerThanTheBurst_PassesAndIsPaidFor()
    {
        var limiter = new RateLimiter(8_000_000, 2000);
        Assert.True(limiter.TryTake(0, 64_000));
        Assert.False(limiter.TryTake(60_000_000, 1000));
        Assert.True(limiter.TryTake(64_000_000, 2000));
    }

    private static int Offer(TestPlane plane, int count)
    {
        int passed = 0;
        for (int i = 0; i < count; i++)
        {
            passed += plane.Send("a", Packet("a", "b").Build()).Count;
        }

        return passed;
    }
}
