using Dataplane.Bridging;
using Dataplane.Capturing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Capturing;

/// <summary>Captures of an engine that is driven by hand: what is seen, what is said of it, and that nothing else changes.</summary>
public sealed class CaptureTests : IAsyncLifetime
{
    private const string Client = "198.51.100.9", Client6 = "2001:db8:1::9", WanMac = "02:00:00:00:01:01", LanMac = "02:00:00:00:02:01", ClientMac = "02:00:00:00:00:09", BackendMac = "02:00:00:00:00:0b";

    private readonly MemoryPort _wan = new(), _lan = new();
    private DataplaneEngine _engine = null!;

    public Task InitializeAsync()
    {
        _engine = new DataplaneBuilder().Port("wan", PortSource.Memory(_wan)).Port("lan", PortSource.Memory(_lan))
            .Interface("wan", "198.51.100.1/24", mac: WanMac).Interface("lan", "10.1.0.1/24", mac: LanMac)
            .Interface("wan", "2001:db8:1::1/64", mac: WanMac).Interface("lan", "2001:db8:2::1/64", mac: LanMac)
            .Neighbour("wan", Client, ClientMac).Neighbour("lan", "10.1.0.11", BackendMac).Neighbour("wan", Client6, ClientMac).Neighbour("lan", "2001:db8:2::11", BackendMac)
            .Filter(f => f.Deny(name: "no-ssh", protocol: 6, toPort: "22").DefaultAllow())
            .Service("dns", "203.0.113.53", 53, service => service.Udp().Backend("10.1.0.11", 5353))
            .Service("dns6", "2001:db8:80::53", 53, service => service.Udp().Backend("2001:db8:2::11", 5353)).Build();
        _engine.StartManual();
        return Task.CompletedTask;
    }

    public async Task DisposeAsync() => await _engine.DisposeAsync();

    [Fact]
    public async Task Capture_Everything_ShowsPacketsAsTheyCameAndAsTheyLeave()
    {
        PacketCapture capture = _engine.Capture();
        byte[] query = Query(4000);
        Run(query, Query(4000), Ssh());
        List<CapturedPacket> seen = await ReadAsync(capture);
        Assert.Equal(
            ["wan Received sent by lan", "lan Sent received on wan", "wan Received sent by lan", "lan Sent received on wan", "wan Received dropped: filter_rule"],
            seen.Select(packet => $"{packet.Port} {packet.Direction} {packet.Outcome.Split(';')[0]}"));
        Assert.Equal(query, seen[0].Frame.ToArray());
        Assert.Contains("service dns backend 10.1.0.11:5353", seen[2].Outcome, StringComparison.Ordinal);
        Assert.Contains("; rule no-ssh", seen[4].Outcome, StringComparison.Ordinal);
        Assert.Equal((Verdict.Drop, DropReason.FilterRule), (seen[4].Verdict, seen[4].Reason));
    }

    [Fact]
    public async Task Capture_Flow_HasBothDirectionsBeforeAndBehindTranslation()
    {
        Run(Query(4000), Query(4001), Query6());
        PacketCapture capture = _engine.Capture(new CaptureOptions { Filter = $"flow {Client}:4000 203.0.113.53:53" }), capture6 = _engine.Capture(new CaptureOptions { Filter = $"flow [{Client6}]:4000 [2001:db8:80::53]:53" });
        Run(Query(4000), Query(4001), Query6(), Ssh());
        Assert.True(_lan.TrySend(PacketBuilder.Ethernet(BackendMac, LanMac).Ipv4("10.1.0.11", Client).Udp(5353, 4000).Build()));
        Assert.True(_lan.TrySend(PacketBuilder.Ethernet(BackendMac, LanMac).Ipv4("10.1.0.11", Client).Udp(5353, 4001).Build()));
        RunAll();
        Assert.Equal(["wan Received", "lan Sent", "lan Received", "wan Sent"], (await ReadAsync(capture)).Select(packet => $"{packet.Port} {packet.Direction}"));
        Assert.Equal(["wan Received", "lan Sent"], (await ReadAsync(capture6)).Select(packet => $"{packet.Port} {packet.Direction}"));
    }

    [Fact]
    public async Task Capture_WhatTheEngineMakesAndGivesUp_IsSeen()
    {
        // Nobody answers for 10.1.0.99: the packet waits, the engine asks, and gives it up.
        PacketCapture capture = _engine.Capture();
        Run(PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "10.1.0.99").Udp(4000, 9).Build());
        await _engine.StopAsync();
        List<CapturedPacket> seen = await ReadAsync(capture);
        Assert.Contains(seen, packet => packet is { Port: "wan", Direction: CaptureDirection.Received, Verdict: Verdict.Hold });
        Assert.Contains(seen, packet => packet is { Port: "lan", Direction: CaptureDirection.Sent } && packet.Outcome.StartsWith("made by the engine", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Capture_OfAPacketThatWaitedInVain_SaysThatItWasDroppedLater()
    {
        var clock = new TestClock();
        MemoryPort wan = new(), lan = new();
        await using var engine = new DataplaneEngine(new DataplaneBuilder().Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan))
            .Interface("wan", "198.51.100.1/24", mac: WanMac).Interface("lan", "10.1.0.1/24", mac: LanMac).Neighbour("wan", Client, ClientMac).Build().Spec, new DataplaneOptions { TimeProvider = clock });
        engine.StartManual();
        PacketCapture capture = engine.Capture(new CaptureOptions { Filter = "dropped and udp port 9" });
        byte[] packet = PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "10.1.0.99").Udp(4000, 9).Build();
        Assert.True(wan.TrySend(packet));
        for (int second = 0; second < 10; second++)
        {
            engine.RunOnce();
            clock.Advance(TimeSpan.FromSeconds(1));
        }

        CapturedPacket dropped = Assert.Single(await ReadAsync(capture));
        Assert.Equal((CaptureDirection.Dropped, DropReason.NeighbourUnresolved, "wan"), (dropped.Direction, dropped.Reason, dropped.Port));
        Assert.Equal(packet, dropped.Frame.ToArray());
        Assert.True(engine.ReadAccounting().IsBalanced);
    }

    [Fact]
    public async Task Capture_OfABridge_SeesSwitchedAndFloodedFrames()
    {
        MemoryPort[] ports = [new(), new(), new()];
        DataplaneSpec spec = new DataplaneBuilder().Port("a", PortSource.Memory(ports[0])).Port("b", PortSource.Memory(ports[1])).Port("c", PortSource.Memory(ports[2])).Build().Spec
            with
        { Bridges = [new BridgeSpec { Name = "br", Ports = [new() { Port = "a" }, new() { Port = "b" }, new() { Port = "c" }] }] };
        await using var engine = new DataplaneEngine(spec);
        engine.StartManual();
        PacketCapture capture = engine.Capture(new CaptureOptions { Filter = "udp" });
        Assert.True(ports[0].TrySend(PacketBuilder.Ethernet(ClientMac, BackendMac).Ipv4(Client, "198.51.100.11").Udp(1, 2).Build()));
        while (engine.RunOnce() > 0)
        {
        }

        Assert.True(ports[1].TrySend(PacketBuilder.Ethernet(BackendMac, ClientMac).Ipv4("198.51.100.11", Client).Udp(2, 1).Build()));
        while (engine.RunOnce() > 0)
        {
        }

        Assert.Equal(["a Received", "b Sent", "c Sent", "b Received", "a Sent"], (await ReadAsync(capture)).Select(packet => $"{packet.Port} {packet.Direction}"));
        Assert.True(engine.ReadAccounting().IsBalanced);
    }

    [Fact]
    public async Task Capture_OrNot_AccountsTheSame()
    {
        Run(Query(4000), Ssh(), Query6());
        Accounting without = _engine.ReadAccounting();
        PacketCapture capture = _engine.Capture();
        Run(Query(4000), Ssh(), Query6());
        Accounting with = _engine.ReadAccounting();
        Assert.Equal((without.Received * 2, without.Transmitted * 2, without.DroppedFor(DropReason.FilterRule) * 2), (with.Received, with.Transmitted, with.DroppedFor(DropReason.FilterRule)));
        Assert.Equal(5, (await ReadAsync(capture)).Count);
        Assert.Equal((5L, 0L), _engine.ReadCaptures());
    }

    [Fact]
    public async Task Capture_WithoutRoom_CountsWhatItDoesNotTake()
    {
        PacketCapture capture = _engine.Capture(new CaptureOptions { BufferBytes = 1 << 16, Filter = "inbound" });
        byte[] large = PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "203.0.113.53").Udp(4000, 53).Payload(new byte[1400]).Build();
        for (int i = 0; i < 100; i++)
        {
            Run(large);
        }

        long missed = capture.NotCaptured;
        List<CapturedPacket> seen = await ReadAsync(capture);
        Assert.Equal(100, seen.Count + missed);
        Assert.InRange(missed, 50, 60);
        Assert.Equal((seen.Count, missed), _engine.ReadCaptures());
        Assert.All(seen, packet => Assert.Equal(large, packet.Frame.ToArray()));
    }

    [Fact]
    public async Task Capture_OfShortBytes_KeepsTheBeginningAndTheLength()
    {
        PacketCapture capture = _engine.Capture(new CaptureOptions { SnapLengthBytes = 64, Filter = "inbound" });
        byte[] large = PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "203.0.113.53").Udp(4000, 53).Payload(new byte[1000]).Build();
        Run(large);
        CapturedPacket seen = Assert.Single(await ReadAsync(capture));
        Assert.Equal((large.Length, 64), (seen.LengthBytes, seen.Frame.Length));
    }

    [Fact]
    public async Task Write_Packets_AreReadBackByAnIndependentReader()
    {
        PacketCapture capture = _engine.Capture(new CaptureOptions { MaxPackets = 3 });
        Run(Query(4000), Ssh(), Query6());
        using var stream = new MemoryStream();
        await capture.WriteAsync(stream);
        Assert.Equal((true, 3), (capture.HasEnded, capture.Captured));
        stream.Position = 0;
        using var reader = new CaptureFileReader(stream);
        var seen = new List<byte[]>();
        while (reader.Read())
        {
            seen.Add(reader.Current.Bytes.ToArray());
        }

        Assert.Equal(3, seen.Count);
        Assert.Equal(Query(4000), seen[0]);
        string bytes = System.Text.Encoding.Latin1.GetString(stream.ToArray());
        Assert.Contains("received on wan; rule default; service dns backend 10.1.0.11:5353", bytes, StringComparison.Ordinal);
    }

    [Fact]
    public void Capture_OfBusyTraffic_AllocatesNothing()
    {
        PacketCapture capture = _engine.Capture(new CaptureOptions { Filter = "dropped or flow 198.51.100.9:4000 203.0.113.53:53", BufferBytes = 1 << 16 });
        byte[] query = Query(4000), ssh = Ssh();
        byte[] buffer = new byte[2048];
        Allocations.AssertNone(200, () =>
        {
            _wan.TrySend(query);
            _wan.TrySend(ssh);
            while (_engine.RunOnce() > 0)
            {
            }

            while (_lan.TryReceive(buffer, out _))
            {
            }
        });
        capture.End();
        Assert.True(capture.NotCaptured > 0 && _engine.ReadCaptures().Captured > 100);
    }

    [Fact]
    public async Task Capture_BegunAndEndedAgain_UsesTheSameMemory()
    {
        for (int round = 0; round < 3; round++)
        {
            PacketCapture capture = _engine.Capture(new CaptureOptions { BufferBytes = 1 << 16, Filter = "udp" }), beside = _engine.Capture(new CaptureOptions { BufferBytes = 1 << 16 });
            Run(Query(4000), Ssh());
            Assert.Equal((2, 3), ((await ReadAsync(capture)).Count, (await ReadAsync(beside)).Count));
        }

        // What is new is the ring; what packets are kept in until it is known what becomes of them is more than two MiB.
        long before = GC.GetAllocatedBytesForCurrentThread();
        PacketCapture last = _engine.Capture(new CaptureOptions { BufferBytes = 1 << 16 });
        last.End();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1 << 16, 1 << 18);
    }

    [Fact]
    public async Task Capture_WhatCannotBe_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => _engine.Capture(new CaptureOptions { Filter = "on dmz" }));
        Assert.Throws<FormatException>(() => _engine.Capture(new CaptureOptions { Filter = "hots" }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _engine.Capture(new CaptureOptions { SnapLengthBytes = 63 }));
        PacketCapture[] captures = [.. Enumerable.Range(0, 8).Select(_ => _engine.Capture())];
        Assert.Throws<InvalidOperationException>(() => _engine.Capture());
        await captures[3].DisposeAsync();
        await using PacketCapture again = _engine.Capture();
        Run(Query(4000));
        Assert.Equal(2, (await ReadAsync(again)).Count);
        Assert.Empty(await ReadAsync(captures[3]));
        Assert.Equal(2, (await ReadAsync(captures[7])).Count);
        await _engine.StopAsync();
        Assert.Throws<InvalidOperationException>(() => _engine.Capture());
    }

    private static byte[] Query(ushort port) => PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "203.0.113.53").Udp(port, 53).Payload("query").Build();

    private static byte[] Query6() => PacketBuilder.Ethernet(ClientMac, WanMac).Ipv6(Client6, "2001:db8:80::53").Udp(4000, 53).Payload("query").Build();

    private static byte[] Ssh() => PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "10.1.0.11").Tcp(4001, 22, TcpFlags.Syn).Build();

    private static async Task<List<CapturedPacket>> ReadAsync(PacketCapture capture)
    {
        capture.End();
        var seen = new List<CapturedPacket>();
        await foreach (CapturedPacket packet in capture.ReadAllAsync())
        {
            seen.Add(packet);
        }

        return seen;
    }

    private void Run(params byte[][] frames)
    {
        foreach (byte[] frame in frames)
        {
            Assert.True(_wan.TrySend(frame));
        }

        RunAll();
    }

    private void RunAll()
    {
        while (_engine.RunOnce() > 0)
        {
        }
    }
}
