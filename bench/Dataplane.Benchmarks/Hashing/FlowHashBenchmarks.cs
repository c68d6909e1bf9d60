using BenchmarkDotNet.Attributes;
using Dataplane.Flows;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Benchmarks.Hashing;

/// <summary>One hash per packet: what the engine uses, what else it could, and what network cards and other load balancers do; nanoseconds per hash.</summary>
[MemoryDiagnoser]
public class FlowHashBenchmarks
{
    private const int Count = 4096;

    private readonly FlowKey[] _keys = new FlowKey[Count];
    private readonly FlowHash _flow = new(1);
    private readonly SymmetricFlowHash _symmetric = new(1);
    private readonly Toeplitz _toeplitz = new(Toeplitz.MicrosoftKey);

    [Params(4, 6)]
    public int Family { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        for (int i = 0; i < Count; i++)
        {
            _keys[i] = FlowKey.Create(Address(), (ushort)random.Next(65536), Address(), 443, IpProtocols.Tcp);
        }

        IpAddress Address() => Family == 4
            ? IpAddress.FromV4((uint)random.NextInt64(1L << 32))
            : IpAddress.FromV6((ulong)random.NextInt64(), (ulong)random.NextInt64());
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Count)]
    public uint Flow()
    {
        uint sum = 0;
        foreach (ref readonly FlowKey key in _keys.AsSpan())
        {
            sum += _flow.Of(in key);
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public uint Symmetric()
    {
        uint sum = 0;
        foreach (ref readonly FlowKey key in _keys.AsSpan())
        {
            sum += _symmetric.Of(in key);
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public uint Crc()
    {
        uint sum = 0;
        foreach (ref readonly FlowKey key in _keys.AsSpan())
        {
            sum += Crc32C.OfFlow(in key, 1);
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public uint ToeplitzWithPorts()
    {
        uint sum = 0;
        foreach (ref readonly FlowKey key in _keys.AsSpan())
        {
            sum += _toeplitz.Of(in key, withPorts: true);
        }

        return sum;
    }
}
