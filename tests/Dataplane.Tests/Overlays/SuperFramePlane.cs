using Dataplane.Native;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Rewriting;
using static Dataplane.Tests.Overlays.OverlayPlane;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>The engine of <see cref="OverlayPlane"/> with the endpoint a and the way out on ports that have offload headers.</summary>
internal sealed class SuperFramePlane : IAsyncDisposable
{
    private readonly TestClock _clock = new();

    /// <param name="family">Of the tunnels.</param>
    /// <param name="wan">What the way out takes unfinished.</param>
    /// <param name="a">What the endpoint takes unfinished.</param>
    /// <param name="configure">What else there is.</param>
    public SuperFramePlane(int family, FrameOffloads wan = OffloadPlane.All, FrameOffloads a = OffloadPlane.All, Action<DataplaneBuilder>? configure = null)
    {
        Wan = new OffloadPort(TestPlane.WanMac, wan);
        A = new OffloadPort(GatewayOf("a"), a);
        DataplaneBuilder builder = new DataplaneBuilder().Port("wan", PortSource.Custom(Wan)).Port("a", PortSource.Custom(A)).Port("vx-blue", PortSource.Vxlan()).Port("vx-red", PortSource.Vxlan())
            .Interface("wan", "198.51.100.1/24").Interface("wan", "2001:db8:1::1/64").Neighbour("wan", Peer(7, family).ToString(), PeerMac(7).ToString())
            .Network(Network("blue", 89, "a") with { Overlay = BlueOverlay(family) })
            .Network(Network("red", 90) with { Overlay = RedOverlay(family) })
            .Workers(workers => workers with { Count = TestPlane.Workers, Seed = 1, FlowEntries = 4096 }).UseTimeProvider(_clock);
        configure?.Invoke(builder);
        Engine = builder.Build();
        Engine.StartManual();
    }

    public DataplaneEngine Engine { get; }

    public OffloadPort Wan { get; }

    public OffloadPort A { get; }

    /// <summary>Sends frames in by a port in one batch.</summary>
    /// <returns>What left by the other.</returns>
    public IReadOnlyList<Unfinished> Send(OffloadPort from, params Unfinished[] frames)
    {
        OffloadPort to = from == A ? Wan : A;
        Wan.Sent.Clear();
        A.Sent.Clear();
        Array.ForEach(frames, from.Add);
        while (Engine.RunOnce() > 0)
        {
        }

        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        return to.Sent;
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}
