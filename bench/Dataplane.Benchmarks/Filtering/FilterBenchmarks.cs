using BenchmarkDotNet.Attributes;
using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Benchmarks.Filtering;

/// <summary>First match among filter rules, nanoseconds per packet of a batch; no packet matches before the last rule, the worst there is.</summary>
[MemoryDiagnoser]
public class FilterBenchmarks
{
    private const int Packets = 1 << 12;

    private readonly FlowKey[] _v4 = new FlowKey[Packets];
    private readonly FlowKey[] _v6 = new FlowKey[Packets];
    private readonly PacketHeaders[] _headers = new PacketHeaders[Packets];
    private FilterProgram _program = FilterProgram.Compile(new FilterSpec(), _ => -1);

    [Params(1, 10, 100, 1000)]
    public int Rules { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        var rules = new List<FilterRuleSpec>();
        for (int i = 0; i < Rules; i++)
        {
            bool last = i == Rules - 1;
            rules.Add(new FilterRuleSpec
            {
                Action = FilterAction.Deny,
                From = last ? null : new IpPrefix(IpAddress.FromV4(0xCB00_0000 | (uint)random.Next(1 << 24)), 24).Network,
                ToPort = last ? null : new PortRange((ushort)i, (ushort)(i + 10)),
                Protocol = last ? null : (byte)6,
            });
            rules.Add(rules[^1] with { From = last ? null : new IpPrefix(IpAddress.FromV6(0x2001_0DB8_0000_0000UL | (uint)random.Next(), 0), 64).Network });
        }

        _program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        for (int i = 0; i < Packets; i++)
        {
            ushort port = (ushort)random.Next(65536);
            _v4[i] = FlowKey.Create(IpAddress.FromV4((uint)random.Next()), port, IpAddress.FromV4((uint)random.Next()), 80, 6);
            _v6[i] = FlowKey.Create(IpAddress.FromV6(0x2001_0DB8_8000_0000, (ulong)random.NextInt64()), port, IpAddress.FromV6(1, 1), 80, 6);
            _headers[i] = new PacketHeaders { TransportOffset = 34, Protocol = 6, TcpFlags = 16 };
        }
    }

    [Benchmark(OperationsPerInvoke = Packets)]
    public int MatchV4() => Match(_v4);

    [Benchmark(OperationsPerInvoke = Packets)]
    public int MatchV6() => Match(_v6);

    private int Match(FlowKey[] keys)
    {
        int sum = 0;
        for (int i = 0; i < keys.Length; i++)
        {
            sum += _program.Match(in keys[i], in _headers[i], 0);
        }

        return sum;
    }
}
