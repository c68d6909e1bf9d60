using BenchmarkDotNet.Attributes;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Benchmarks.Ports;

/// <summary>The in-memory port, nanoseconds per packet: what the whole pipeline pays for it, and what the far end pays.</summary>
[MemoryDiagnoser]
public class MemoryPortBenchmarks
{
    private const int Packets = PacketBatch.Capacity;

    private readonly MemoryPort _from = new();
    private readonly MemoryPort _to = new();
    private readonly PacketBatch _batch = new();
    private readonly int[] _lengths = new int[Packets];
    private readonly short[] _all = [.. Enumerable.Range(0, Packets).Select(number => (short)number)];
    private byte[] _frames = [];
    private IPort? _receiving;
    private IPort? _transmitting;

    [Params(64, 1514)]
    public int FrameBytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _frames = new byte[Packets * FrameBytes];
        _lengths.AsSpan().Fill(FrameBytes);
        _receiving = _from.Open("from");
        _transmitting = _to.Open("to");
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _receiving!.Dispose();
        _transmitting!.Dispose();
    }

    /// <summary>Both far ends alone: send 256 frames, take them out again.</summary>
    [Benchmark(OperationsPerInvoke = Packets, Baseline = true)]
    public int FarEnds()
    {
        int sent = _from.SendMany(_frames, _lengths);
        _batch.Clear(default, 0);
        _receiving!.Receive(_batch);
        _receiving.Release(_batch);
        return sent;
    }

    /// <summary>The same with the engine's share: receive, transmit by another port (one copy), flush, release.</summary>
    [Benchmark(OperationsPerInvoke = Packets)]
    public int FarEndsAndEngine()
    {
        _from.SendMany(_frames, _lengths);
        _batch.Clear(default, 0);
        int count = _receiving!.Receive(_batch);
        _transmitting!.Transmit(_batch, _all.AsSpan(0, count));
        _transmitting.Flush();
        _receiving.Release(_batch);
        using ReceivedFrames received = _to.ReceiveMany();
        return received.Count;
    }
}
