using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Rewriting;

/// <summary>The engine of <see cref="TestPlane"/> on ports with offloads: super-frames come by "wan", and "lan" takes what it is made to take.</summary>
internal sealed class OffloadPlane : IAsyncDisposable
{
    public const FrameOffloads All = FrameOffloads.Checksum | FrameOffloads.Tcp | FrameOffloads.Udp;

    private readonly TestClock _clock = new();

    public OffloadPlane(FrameOffloads lan, bool withService = false, int lanMtu = 1500, bool withNeighbours = true, Action<DataplaneBuilder>? configure = null)
    {
        Wan = new OffloadPort(TestPlane.WanMac, All, mtu: 9000);
        Lan = new OffloadPort(TestPlane.LanMac, lan, lanMtu);
        DataplaneBuilder builder = new DataplaneBuilder().Port("wan", PortSource.Custom(Wan)).Port("lan", PortSource.Custom(Lan))
            .Workers(workers => workers with { Count = TestPlane.Workers, Seed = 1, FlowEntries = 4096 }).UseTimeProvider(_clock);
        TestPlane.AddAddresses(builder, withNeighbours);
        if (withService)
        {
            ServiceNet.V4.Add(builder, "t4", 80, tcp: true, Dataplane.Balancing.BalancePolicy.Maglev, 11);
            ServiceNet.V4.Add(builder, "u4", 80, tcp: false, Dataplane.Balancing.BalancePolicy.Maglev, 11);
            ServiceNet.V6.Add(builder, "t6", 80, tcp: true, Dataplane.Balancing.BalancePolicy.Maglev, 11);
            ServiceNet.V6.Add(builder, "u6", 80, tcp: false, Dataplane.Balancing.BalancePolicy.Maglev, 11);
        }

        configure?.Invoke(builder);
        Engine = builder.Build();
        Engine.StartManual();
    }

    public DataplaneEngine Engine { get; }

    public OffloadPort Wan { get; }

    public OffloadPort Lan { get; }

    /// <summary>Sends frames in by "wan" in one batch; returns what left by "lan".</summary>
    public IReadOnlyList<Unfinished> Send(params Unfinished[] frames)
    {
        Lan.Sent.Clear();
        Array.ForEach(frames, Wan.Add);
        while (Engine.RunOnce() > 0)
        {
        }

        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        return Lan.Sent;
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}
