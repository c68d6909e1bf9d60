using Dataplane.Balancing;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Flows;

/// <summary>How long flows of a service may be idle: as it says, and as the defaults say where it says nothing.</summary>
public sealed class ServiceTimeoutTests
{
    private const int Sweep = 61; // A flow is forgotten a minute after its time at the latest.

    private static bool IsKnown(TestPlane plane) => plane.Engine.ReadFigures().FlowEntries > 0;

    /// <summary>Lets time pass in steps in which a sweep comes round, without a packet.</summary>
    private static void Pass(TestPlane plane, int seconds)
    {
        for (int i = 0; i < seconds * 10; i++)
        {
            plane.Clock.Advance(TimeSpan.FromMilliseconds(100));
            plane.Engine.RunOnce();
        }
    }

    private static DataplaneSpec With(DataplaneSpec spec, NatTimeouts timeouts) => spec with { Services = [.. spec.Services.Select(service => service with { Timeouts = timeouts })] };

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Timeouts_OfTheService_EndItsFlows(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        await plane.Engine.UpdateAsync(spec => With(spec, new NatTimeouts { TcpTransitory = TimeSpan.FromSeconds(10) }));
        plane.SendForOne("wan", net.FromClient().Tcp(1000, 80).Build(), "lan");
        Pass(plane, 9);
        Assert.True(IsKnown(plane));
        Pass(plane, 1 + Sweep);
        Assert.False(IsKnown(plane));

        // Without timeouts of its own it has the defaults again.
        await plane.Engine.UpdateAsync(spec => With(spec, new NatTimeouts()));
        plane.SendForOne("wan", net.FromClient().Tcp(1000, 80).Build(), "lan");
        Pass(plane, 239);
        Assert.True(IsKnown(plane));
        Pass(plane, 1 + Sweep);
        Assert.False(IsKnown(plane));
    }

    [Fact]
    public async Task Update_OtherTimeouts_HoldForFlowsThereAre()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        plane.SendForOne("wan", net.FromClient().Tcp(1000, 80).Build(), "lan");
        await plane.Engine.UpdateAsync(spec => With(spec, new NatTimeouts { TcpTransitory = TimeSpan.FromSeconds(1000) }));
        Pass(plane, 900);
        Assert.True(IsKnown(plane));
        await plane.Engine.UpdateAsync(spec => With(spec, new NatTimeouts { TcpTransitory = TimeSpan.FromSeconds(2) }));
        Pass(plane, Sweep);
        Assert.False(IsKnown(plane));
    }

    [Fact]
    public async Task Timeouts_OfAServiceBesideATranslation_AreNotTheTranslations()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        await plane.Engine.UpdateAsync(spec => With(spec, new NatTimeouts { TcpTransitory = TimeSpan.FromSeconds(10) }) with
        {
            Nat = [new NatSpec { Inside = "lan", Outside = "wan", Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(500) } }],
        });
        plane.SendForOne("wan", net.FromClient().Tcp(1000, 80).Build(), "lan");
        plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4(net.Backend(11).ToString(), "198.51.100.2").Udp(5000, 53).Build(), "wan");
        Assert.Equal(4, plane.Engine.ReadFigures().FlowEntries);
        Pass(plane, 11 + Sweep);
        Assert.Equal(2, plane.Engine.ReadFigures().FlowEntries);
        Pass(plane, 400);
        Assert.Equal(2, plane.Engine.ReadFigures().FlowEntries);
        Pass(plane, 100 + Sweep);
        Assert.False(IsKnown(plane));
    }

    [Fact]
    public async Task Remove_BackendWhoseFlowsStay_KeepsItsTimeouts()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11]);
        await plane.Engine.UpdateAsync(spec => With(spec, new NatTimeouts { TcpTransitory = TimeSpan.FromSeconds(1000) }));
        await plane.Engine.UpdateAsync(spec => spec with { Services = [.. spec.Services.Select(service => service with { OnRemove = RemovePolicy.Keep })] });
        plane.SendForOne("wan", net.FromClient().Tcp(1000, 80).Build(), "lan");
        await plane.Engine.UpdateAsync(spec => spec with { Services = [.. spec.Services.Select(service => service with { Backends = [] })] });
        Pass(plane, 600);
        Assert.True(IsKnown(plane));
    }
}
