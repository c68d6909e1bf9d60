using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using Dataplane.Bridging;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Benchmarks.Bridging;

/// <summary>A learning bridge of four in-memory ports: frames of 64 bytes copied in, their senders looked up and their targets, copied out and taken from the rings. Nanoseconds per frame received.</summary>
[MemoryDiagnoser, MinColumn, MedianColumn]
public class LearningBridgeBenchmarks
{
    private const int Batch = PacketBatch.Capacity;
    private const int FrameBytes = 64;
    private const int Entries = 262_144;
    private const ulong FirstHost = 0x0200_0000_0000;

    private readonly int[] _lengths = [.. Enumerable.Repeat(FrameBytes, Batch)];
    private readonly MemoryPort[] _ports = [.. Enumerable.Range(0, 4).Select(_ => new MemoryPort(new MemoryPortOptions { RingSlots = 1024, SlotBytes = 512, Mtu = 300 }))];
    private DataplaneEngine _engine = null!;
    private byte[] _known = [], _broadcasts = [];
    private int _next;

    /// <summary>Hosts behind the first port, which send in turn to as many behind the second.</summary>
    [Params(1000, 50_000)]
    public int Hosts { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        const int Unlimited = 1_000_000;
        var builder = new DataplaneBuilder();
        for (int port = 0; port < _ports.Length; port++)
        {
            builder.Port($"p{port}", PortSource.Memory(_ports[port]));
        }

        _engine = builder.UseTimeProvider(new HastyClock()).Bridge(new BridgeSpec
        {
            Name = "lan",
            Entries = Entries,
            Ageing = TimeSpan.FromDays(1),
            Broadcast = Unlimited,
            Unknown = Unlimited,
            Ports = [.. Enumerable.Range(0, _ports.Length).Select(port => new BridgePortSpec { Port = $"p{port}", Hosts = Entries })],
        }).Build();
        _engine.StartManual();
        _known = Frames(host => (Target(host), Sender(host)));
        _broadcasts = Frames(host => (0xFFFF_FFFF_FFFF, Sender(host)));
        byte[] answers = Frames(host => (Sender(host), Target(host)));
        foreach ((int port, byte[] frames) in ((int, byte[])[])[(1, answers), (0, _known)])
        {
            _next = 0;
            for (int i = 0; i < (Hosts / Batch) + 1; i++)
            {
                Pass(port, frames);
            }
        }

        int known = _engine.ReadBridgeAddresses().Count;
        if (known < Hosts * 2 * 99 / 100)
        {
            throw new InvalidOperationException($"the bridge knows {known} of {Hosts * 2} hosts");
        }
    }

    /// <summary>To hosts that are known: one copy each.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public int KnownUnicast() => Pass(0, _known);

    /// <summary>To all: three copies each.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public int Broadcast() => Pass(0, _broadcasts);

    private static ulong Sender(int host) => FirstHost + (ulong)host;

    private static ulong Target(int host) => FirstHost + 0x0100_0000 + (ulong)host;

    private int Pass(int port, byte[] frames)
    {
        int first = Math.Min(Batch, Hosts - _next), rest = Math.Min(Batch - first, Hosts);
        _ports[port].SendMany(frames.AsSpan(_next * FrameBytes, first * FrameBytes), _lengths.AsSpan(0, first));
        _ports[port].SendMany(frames.AsSpan(0, rest * FrameBytes), _lengths.AsSpan(0, rest));
        _next = (_next + Batch) % Hosts;
        int received = _engine.RunOnce();
        foreach (MemoryPort other in _ports)
        {
            using ReceivedFrames sent = other.ReceiveMany(Batch);
        }

        return received;
    }

    /// <summary>A frame for each host.</summary>
    private byte[] Frames(Func<int, (ulong To, ulong From)> addresses)
    {
        byte[] frames = new byte[Hosts * FrameBytes];
        Span<byte> address = stackalloc byte[8];
        for (int host = 0; host < Hosts; host++)
        {
            (ulong to, ulong from) = addresses(host);
            Span<byte> frame = frames.AsSpan(host * FrameBytes, FrameBytes);
            BinaryPrimitives.WriteUInt64BigEndian(address, to);
            address[2..].CopyTo(frame);
            BinaryPrimitives.WriteUInt64BigEndian(address, from);
            address[2..].CopyTo(frame[6..]);
            BinaryPrimitives.WriteUInt16BigEndian(frame[12..], 0x88B5);
        }

        return frames;
    }

    /// <summary>Time that goes on with each look at it, so that the limit of floods, a million frames a second, is never reached.</summary>
    private sealed class HastyClock : TimeProvider
    {
        private long _nowNs;

        public override long TimestampFrequency => 1_000_000_000;

        public override long GetTimestamp() => _nowNs += 300_000;
    }
}
