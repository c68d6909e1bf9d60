using BenchmarkDotNet.Attributes;
using Dataplane.Hashing;

namespace Dataplane.Benchmarks.Hashing;

/// <summary>The hashes of backends and tables, nanoseconds per hash of 8 to 64 bytes.</summary>
[MemoryDiagnoser]
public class BytesHashBenchmarks
{
    private readonly SipHash24 _sip = new(new byte[16]);
    private byte[] _bytes = [];

    [Params(8, 18, 64)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup() => _bytes = [.. Enumerable.Range(0, Length).Select(i => (byte)i)];

    [Benchmark(Baseline = true)]
    public ulong Xx() => XxHash64.Hash(_bytes);

    [Benchmark]
    public ulong Murmur() => Murmur3.Hash128(_bytes, 1).First;

    [Benchmark]
    public uint Jenkins() => JenkinsHash.Hash(_bytes, 1);

    [Benchmark]
    public ulong Sip() => _sip.Hash(_bytes);

    [Benchmark]
    public uint Crc() => Crc32C.Checksum(_bytes);
}
