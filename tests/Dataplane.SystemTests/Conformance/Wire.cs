using System.Globalization;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.SystemTests.Ports;

namespace Dataplane.SystemTests.Conformance;

/// <summary>Two veth pairs in a namespace where the kernel says nothing by itself: "wan" and "lan" for whoever is tested, and a port of the test's at the other end of each.</summary>
public sealed class Wire : IDisposable
{
    private const int SlotBytes = 2048, HeadroomBytes = 64;
    private readonly Dictionary<string, IPort> _ends = [];
    private readonly byte[] _frame = new byte[SlotBytes];
    private NetworkNamespace? _home;

    internal NetworkNamespace Home => _home!;

    /// <summary>Makes the cables, once; a class whose tests are all skipped makes none.</summary>
    internal void Lay()
    {
        if (_home is not null)
            return;
        _home = NetworkNamespace.Create("conformance");
        _home.Execute("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
        foreach (string name in new[] { "wan", "lan" })
        {
            _home.Link("add", name, "type", "veth", "peer", "name", $"far-{name}");
            _home.Link("set", name, "up");
            _home.Link("set", $"far-{name}", "up");
            _ends[name] = PortBed.Open($"far-{name}", _home, slots: 64);
        }
    }

    /// <summary>The largest packet of the inside cable.</summary>
    internal void SetLanMtu(int bytes)
    {
        foreach (string end in new[] { "lan", "far-lan" })
            Home.Link("set", end, "mtu", bytes.ToString(CultureInfo.InvariantCulture));
    }

    internal void Send(string port, byte[] frame)
    {
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), MonotonicClock.NowNs);
        batch.SetMemory(_frame);
        frame.CopyTo(_frame, HeadroomBytes);
        Assert.True(batch.Add(HeadroomBytes, frame.Length));
        Assert.Equal(1, _ends[port].Transmit(batch, [0]));
        _ends[port].Flush();
    }

    /// <summary>Adds what has arrived at both ends.</summary>
    internal void Take(List<(string Port, byte[] Frame)> frames)
    {
        var batch = new PacketBatch();
        foreach ((string name, IPort end) in _ends)
        {
            batch.Clear(new PortId(0), 0);
            end.Receive(batch);
            for (int i = 0; i < batch.Count; i++)
                frames.Add((name, batch.Frame(i).ToArray()));
            end.Release(batch);
        }
    }

    public void Dispose()
    {
        foreach (IPort end in _ends.Values)
            end.Dispose();
        _home?.Dispose();
    }
}
