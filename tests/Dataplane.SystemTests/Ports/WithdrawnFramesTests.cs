using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>Frames that an AF_PACKET port has accepted and takes back, since its link has gone meanwhile: they are dropped by name, not transmitted.</summary>
public sealed class WithdrawnFramesTests
{
    private const int Frames = 20;

    [SystemTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Link_DownBehindTheLastLook_FramesAreDroppedByName(bool goesOn)
    {
        using NetworkNamespace client = NetworkNamespace.Create("wclient"), between = NetworkNamespace.Create("wbetween"), server = NetworkNamespace.Create("wserver");
        NetworkNamespace.Connect(between, "wire0", client, "e0");
        NetworkNamespace.Connect(between, "wire1", server, "e0");
        using IPort wire = PortBed.Open("e0", client, slots: 64);
        await using DataplaneEngine engine = NamespaceThread.Run(between.Name, () =>
        {
            DataplaneEngine made = new DataplaneBuilder().Port("client", PortSource.AfPacket("wire0")).Port("server", PortSource.AfPacket("wire1"))
                .Interface("client", "10.97.0.1/24", "02:00:00:00:97:01").Interface("server", "10.98.0.1/24")
                .Neighbour("server", "10.98.0.2", "02:00:00:00:98:02").Build();
            made.StartManual();
            return made;
        });
        Settle(engine);

        // What waits at the first port is received before the second is looked at again.
        Send(wire);
        between.Link("set", "wire1", "down");
        Assert.True(SpinWait.SpinUntil(() => Drive(engine) >= Frames, TimeSpan.FromSeconds(20)));
        if (goesOn)
        {
            between.Link("set", "wire1", "up");
            Assert.True(SpinWait.SpinUntil(() => engine.ReadPorts()[1].Link == LinkState.Up, TimeSpan.FromSeconds(20)));
            long before = engine.ReadAccounting().Received;
            Send(wire);
            Assert.True(SpinWait.SpinUntil(() => Drive(engine) >= before + Frames, TimeSpan.FromSeconds(20)));
            Settle(engine);
        }

        Assert.True(engine.ReadAccounting().IsBalanced);
        await engine.StopAsync();
        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        Assert.Equal(0, accounting.Held);
        Assert.Equal(Frames, accounting.DroppedFor(DropReason.LinkDown));
        PortStatistics[] ports = [.. engine.ReadPorts().Select(port => port.Statistics)];
        Assert.Equal(Frames, ports[1].TransmitLost + ports[1].TransmitRefused);
        Assert.Equal(accounting.Transmitted, ports.Sum(port => port.TransmittedPackets - port.TransmitLost));
        Assert.InRange(accounting.Transmitted, goesOn ? Frames : 0, long.MaxValue);
    }

    private static long Drive(DataplaneEngine engine)
    {
        engine.RunOnce();
        return engine.ReadAccounting().Received;
    }

    /// <summary>Hosts say who they are when their links come up; that is received first.</summary>
    private static void Settle(DataplaneEngine engine)
    {
        for (int idle = 0; idle < 20; Thread.Sleep(1))
            idle = engine.RunOnce() == 0 ? idle + 1 : 0;
    }

    private static void Send(IPort wire)
    {
        var batch = new PacketBatch();
        byte[] memory = new byte[Frames * 128];
        batch.Clear(new PortId(0), 0);
        batch.SetMemory(memory);
        for (int i = 0; i < Frames; i++)
        {
            FastPathSender.Udp("02:00:00:00:97:01", "10.97.0.2", "10.98.0.2", 53 + i).CopyTo(memory, i * 128);
            Assert.True(batch.Add(i * 128, 60));
        }

        Assert.Equal(Frames, wire.Transmit(batch, PortBed.AllOf(batch)));
        wire.Flush();
    }
}
