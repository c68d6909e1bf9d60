using BenchmarkDotNet.Attributes;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Benchmarks.Pipeline;

/// <summary>The packet's whole way over in-memory ports: copied in, parsed, filtered, translated by an established flow, routed, rewritten,
/// copied out and taken from the ring. Nanoseconds per packet of 64 bytes.</summary>
[MemoryDiagnoser, MinColumn, MedianColumn]
public class WholePipelineBenchmarks
{
    private const int Batch = PacketBatch.Capacity;
    private const int FrameBytes = 64;

    private readonly int[] _lengths = [.. Enumerable.Repeat(FrameBytes, Batch)];
    private DataplaneEngine _engine = null!;
    private MemoryPort _wan = null!, _lan = null!;
    private byte[] _frames = [];
    private int _next;

    /// <summary>Flows that the packets belong to, in turn.</summary>
    [Params(1000, 65536)]
    public int Flows { get; set; }

    /// <summary>4 or 6.</summary>
    [Params(4, 6)]
    public int Family { get; set; }

    internal DataplaneEngine Engine => _engine;

    [GlobalSetup]
    public void Setup()
    {
        (_wan, _lan) = (new MemoryPort(new MemoryPortOptions { RingSlots = 1024, SlotBytes = 512, Mtu = 300 }), new MemoryPort(new MemoryPortOptions { RingSlots = 1024, SlotBytes = 512, Mtu = 300 }));
        string service = Family == 4 ? "48.0.0.1" : "2001:db8:48::1";
        _engine = new DataplaneBuilder()
            .Port("wan", PortSource.Memory(_wan)).Port("lan", PortSource.Memory(_lan))
            .Interface("wan", "198.18.0.1/24", mac: "02:00:00:00:00:01").Interface("wan", "2001:db8:18::1/64")
            .Interface("lan", "198.19.0.1/24", mac: "02:00:00:00:00:02").Interface("lan", "2001:db8:19::1/64")
            .Neighbour("lan", "198.19.0.2", "02:00:00:00:02:02").Neighbour("lan", "2001:db8:19::2", "02:00:00:00:02:02")
            .Filter(filter => filter.Deny(from: "203.0.113.0/24").Deny(from: "2001:db8:bad::/48").Deny(protocol: 6, toPort: "22-23").DefaultAllow())
            .Service("udp", service, 80, s => Backends(s.Udp()))
            .Workers(workers => workers with { Seed = 1, FlowEntries = Flows * 4 })
            .Build();
        _engine.StartManual();
        _frames = new byte[Flows * FrameBytes];
        for (int flow = 0; flow < Flows; flow++)
        {
            MakeFrame(service, flow).CopyTo(_frames, flow * FrameBytes);
        }

        for (int i = 0; i < Math.Max(20_000, Flows * 4) / Batch; i++)
        {
            Forward();
        }

        long lost = _engine.ReadAccounting().Dropped;
        if (lost != 0)
        {
            throw new InvalidOperationException($"the benchmark lost packets: {_engine.ReadAccounting()}");
        }
    }

    [Benchmark(OperationsPerInvoke = Batch)]
    public int Forward()
    {
        int first = Math.Min(Batch, Flows - _next);
        _wan.SendMany(_frames.AsSpan(_next * FrameBytes, first * FrameBytes), _lengths.AsSpan(0, first));
        _wan.SendMany(_frames.AsSpan(0, (Batch - first) * FrameBytes), _lengths.AsSpan(0, Batch - first));
        _next = (_next + Batch) % Flows;
        int received = _engine.RunOnce();
        using ReceivedFrames sent = _lan.ReceiveMany(Batch);
        return received;
    }

    private ServiceBuilder Backends(ServiceBuilder service) => Family == 4
        ? service.Backend("198.19.0.2", 8080).Backend("198.19.0.2", 8081).Backend("198.19.0.2", 8082)
        : service.Backend("2001:db8:19::2", 8080).Backend("2001:db8:19::2", 8081).Backend("2001:db8:19::2", 8082);

    private byte[] MakeFrame(string service, int flow)
    {
        PacketBuilder packet = PacketBuilder.Ethernet("02:00:00:00:01:01", "02:00:00:00:00:01");
        ushort port = (ushort)(1024 + (flow & 0x3FFF));
        packet = Family == 4
            ? packet.Ipv4($"10.0.{flow >> 14}.{flow & 127}", service).Udp(port, 80).PayloadOf(FrameBytes - 42)
            : packet.Ipv6($"2001:db8:a::{flow >> 14:x}:{flow & 127:x}", service).Udp(port, 80);
        byte[] frame = new byte[FrameBytes];
        byte[] made = packet.Build();
        made.AsSpan(0, Math.Min(made.Length, FrameBytes)).CopyTo(frame);
        return frame;
    }
}
