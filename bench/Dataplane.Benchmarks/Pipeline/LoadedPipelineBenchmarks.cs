using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using Dataplane.Benchmarks.Filtering;
using Dataplane.Benchmarks.Routing;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Benchmarks.Pipeline;

/// <summary>The whole way with full tables: a million routes, 10,000 filter rules, up to eight million flows. Nanoseconds per packet of 64 bytes.</summary>
/// <remarks>
/// Forward: packets of established flows to a service. Route: packets that belong to no flow, from and to ever other addresses, so that each is classified
/// and looked up; it does not depend on the flows. With the environment variable CI set, only up to 65,536 flows: eight million take 3 GB.
/// </remarks>
[MemoryDiagnoser, MinColumn, MedianColumn]
public class LoadedPipelineBenchmarks
{
    private const int Batch = PacketBatch.Capacity, FrameBytes = 64, RouteCount = 1_000_000, RuleCount = 10_000, Targets = 1 << 20;

    private readonly int[] _lengths = [.. Enumerable.Repeat(FrameBytes, Batch)];
    private readonly byte[] _flowFrames = new byte[Batch * FrameBytes];
    private readonly byte[] _plainFrames = new byte[Batch * FrameBytes];
    private DataplaneEngine _engine = null!;
    private MemoryPort _wan = null!, _lan = null!;
    private uint[] _targets = [];
    private int _flow, _target;

    /// <summary>Flows that the packets belong to, in turn.</summary>
    [ParamsSource(nameof(FlowCounts))]
    public int Flows { get; set; }

    public static IEnumerable<int> FlowCounts => Environment.GetEnvironmentVariable("CI") is null ? [1000, 1 << 16, 1 << 20, 1 << 23] : [1000, 1 << 16];

    [GlobalSetup]
    public void Setup()
    {
        (_wan, _lan) = (new MemoryPort(Ring()), new MemoryPort(Ring()));
        (uint First, byte Length, int Value)[] routes = InternetRoutes.V4(1, RouteCount, 250);
        _targets = [.. InternetRoutes.KeysV4(2, routes, Targets * 5 / 4).Where(IsUnicast).Take(Targets)];
        DataplaneSpec spec = new DataplaneBuilder()
            .Port("wan", PortSource.Memory(_wan)).Port("lan", PortSource.Memory(_lan))
            .Interface("wan", "198.18.0.1/24", mac: "02:00:00:00:00:01").Interface("lan", "198.19.0.1/24", mac: "02:00:00:00:00:02")
            .Neighbour("lan", "198.19.0.2", "02:00:00:00:02:02").Neighbour("lan", "198.19.0.3", "02:00:00:00:02:03")
            .Service("udp", "48.0.0.1", 80, s => s.Udp().Backend("198.19.0.2", 8080).Backend("198.19.0.2", 8081).Backend("198.19.0.2", 8082))
            .Workers(workers => workers with { Seed = 1, FlowEntries = (int)Math.Max(65_536, Flows * 5L / 2) })
            .ToSpec();
        _engine = new DataplaneBuilder(spec with { Routes = Routes(routes), Filter = Rules() }).Build();
        _engine.StartManual();
        MakeFrames("48.0.0.1", _flowFrames);
        MakeFrames("48.0.0.2", _plainFrames);
        for (int i = 0; i < (Flows * 2 / Batch) + 100; i++)
        {
            Forward();
            Route();
        }

        if (_engine.ReadAccounting() is { Dropped: not 0 } accounting)
        {
            throw new InvalidOperationException($"the benchmark lost packets: {accounting}");
        }
    }

    [GlobalCleanup]
    public async Task Cleanup() => await _engine.DisposeAsync().ConfigureAwait(false);

    [Benchmark(OperationsPerInvoke = Batch)]
    public int Forward()
    {
        Span<byte> frames = _flowFrames;
        for (int i = 0; i < Batch; i++)
        {
            // The address's two halves make up for one another, so that the header's checksum stays as it is.
            int address = _flow >> 14;
            Span<byte> frame = frames[(i * FrameBytes)..];
            BinaryPrimitives.WriteUInt16BigEndian(frame[26..], (ushort)(0x0A00 + address));
            BinaryPrimitives.WriteUInt16BigEndian(frame[28..], (ushort)(0x8000 - address));
            BinaryPrimitives.WriteUInt16BigEndian(frame[34..], (ushort)(1024 + (_flow & 0x3FFF)));
            _flow = _flow + 1 == Flows ? 0 : _flow + 1;
        }

        return Run(frames);
    }

    [Benchmark(OperationsPerInvoke = Batch)]
    public int Route()
    {
        Span<byte> frames = _plainFrames;
        for (int i = 0; i < Batch; i++)
        {
            // Source and destination make up for one another likewise.
            uint target = _targets[_target];
            _target = (_target + 1) & (Targets - 1);
            Span<byte> frame = frames[(i * FrameBytes)..];
            BinaryPrimitives.WriteUInt32BigEndian(frame[26..], SourceFor(target));
            BinaryPrimitives.WriteUInt32BigEndian(frame[30..], target);
        }

        return Run(frames);
    }

    private static MemoryPortOptions Ring() => new() { RingSlots = 1024, SlotBytes = 512, Mtu = 300 };

    private int Run(Span<byte> frames)
    {
        _wan.SendMany(frames, _lengths);
        int received = _engine.RunOnce();
        using ReceivedFrames sent = _lan.ReceiveMany(Batch);
        return received;
    }

    /// <summary>Two ways out in turn; what the engine itself and its neighbours have is left out.</summary>
    private static RouteSpec[] Routes((uint First, byte Length, int Value)[] routes)
    {
        NextHopSpec[][] ways = [[new NextHopSpec { Address = IpAddress.Parse("198.19.0.2") }], [new NextHopSpec { Address = IpAddress.Parse("198.19.0.3") }]];
        return [.. routes.Select(route => new RouteSpec { To = new IpPrefix(IpAddress.FromV4(route.First), route.Length), Via = ways[route.Value & 1] })
            .Where(route => !route.To.Overlaps(IpPrefix.Parse("198.18.0.0/15")) || route.To.Length < 15)];
    }

    /// <summary>An access list whose rules all refuse TCP: the packets, which are UDP, are classified by all of it and pass.</summary>
    private static FilterSpec Rules() => new()
    {
        Rules = [.. RuleSets.Make(RuleShape.All[0], RuleCount).Select(rule => rule with { Action = FilterAction.Deny, Protocol = 6 }).Distinct()],
    };

    private static bool IsUnicast(uint address) => address >> 24 is > 0 and not 127 and < 224 && address >> 16 is not 0xA9FE and not (0xC612 or 0xC613) && SourceFor(address) != 0;

    /// <summary>An address that has with the target the same sum in one's complement as 10.0.0.1 with 48.0.0.2.</summary>
    private static uint SourceFor(uint target)
    {
        const uint Sum = 0x0A00 + 0x0001 + 0x3000 + 0x0002;
        for (uint high = 0x0A00; high < 0x0B00; high++)
        {
            uint rest = (Sum + (2 * 0xFFFF) + 0xFFFF - high - (target >> 16) - (target & 0xFFFF)) % 0xFFFF;
            if (rest != 0)
            {
                return (high << 16) | rest;
            }
        }

        return 0;
    }

    private static void MakeFrames(string destination, Span<byte> frames)
    {
        byte[] frame = PacketBuilder.Ethernet("02:00:00:00:01:01", "02:00:00:00:00:01").Ipv4(destination == "48.0.0.1" ? "10.0.128.0" : "10.0.0.1", destination)
            .Udp(1024, 80).PayloadOf(FrameBytes - 42).Build();

        // Without a checksum over ports and addresses (RFC 768): it would change with each.
        frame.AsSpan(40, 2).Clear();
        for (int i = 0; i < Batch; i++)
        {
            frame.CopyTo(frames[(i * FrameBytes)..]);
        }
    }
}
