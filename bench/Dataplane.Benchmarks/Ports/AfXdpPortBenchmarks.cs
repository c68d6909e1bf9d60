using System.Diagnostics;
using System.Globalization;
using BenchmarkDotNet.Attributes;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Benchmarks.Ports;

/// <summary>Two AF_XDP ports at the ends of a veth pair, nanoseconds of one processor per frame that goes over and comes back as it lies: the kernel's part at both ends and
/// ours. What busy polling changes, and what it costs a port with frames of one buffer that longer ones may come. As root.</summary>
public class AfXdpPortBenchmarks
{
    private const int Packets = 64, SlotBytes = 2048, FrameBytes = 60;

    private readonly byte[] _frames = new byte[Packets * SlotBytes];
    private readonly PacketBatch _source = new();
    private readonly PacketBatch _batch = new();
    private readonly short[] _all = [.. Enumerable.Range(0, PacketBatch.Capacity).Select(number => (short)number)];
    private readonly string _namespace = string.Create(CultureInfo.InvariantCulture, $"dpbench-{Environment.ProcessId}");
    private IPort? _left;
    private IPort? _right;

    /// <summary>MTU of the link; with 9,000 frames may lie in several buffers.</summary>
    [Params(1500, 9000)]
    public int Mtu { get; set; }

    /// <summary>Frames that a round of busy polling takes; 0: interrupts.</summary>
    [Params(0, 64)]
    public int BusyPollBudget { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Ip("netns", "add", _namespace);
        string mtu = Mtu.ToString(CultureInfo.InvariantCulture);
        Ip("-n", _namespace, "link", "add", "a0", "mtu", mtu, "type", "veth", "peer", "name", "b0", "mtu", mtu);
        Ip("-n", _namespace, "link", "set", "a0", "addrgenmode", "none", "up");
        Ip("-n", _namespace, "link", "set", "b0", "addrgenmode", "none", "up");
        (_left, _right) = (Open("a0"), Open("b0"));
        _source.Clear(default, 0);
        _source.SetMemory(_frames);
        for (int i = 0; i < Packets; i++)
        {
            // An experimental EtherType, which nobody takes for anything.
            (_frames[(i * SlotBytes) + 12], _frames[(i * SlotBytes) + 13]) = (0x88, 0xB5);
            _source.Add(i * SlotBytes, FrameBytes);
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _left?.Dispose();
        _right?.Dispose();
        Ip("netns", "del", _namespace);
    }

    /// <summary>64 frames over and back.</summary>
    [Benchmark(OperationsPerInvoke = Packets)]
    public int OverAndBack()
    {
        _left!.Transmit(_source, _all.AsSpan(0, Packets));
        _left.Flush();
        int back = 0;
        for (int tries = 0; back < Packets && tries < 10_000; tries++)
        {
            int over = Receive(_right!);
            if (over > 0)
            {
                _right!.Transmit(_batch, _all.AsSpan(0, over));
                _right.Flush();
                _right.Release(_batch);
            }

            int came = Receive(_left);
            if (came > 0)
            {
                _left.Release(_batch);
            }

            back += came;
        }

        return back;
    }

    private static void Ip(params string[] arguments)
    {
        using Process process = Process.Start("ip", arguments);
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException("Namespaces need root: ip " + string.Join(' ', arguments));
        }
    }

    private int Receive(IPort port)
    {
        _batch.Clear(default, 0);
        return port.Receive(_batch);
    }

    private IPort Open(string name) => new AfXdpPortFactory(name) { Options = new AfXdpOptions { NetworkNamespace = _namespace, BusyPollBudget = BusyPollBudget } }.Open(name);
}
