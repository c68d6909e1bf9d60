using System.Globalization;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Dataplane.Tests.Capturing;

namespace Dataplane.Tests.Pipeline;

/// <summary>An engine on in-memory ports, driven by hand: packets in, packets out. Checks the accounting when it ends.</summary>
internal sealed class TestPlane : IAsyncDisposable
{
    public static readonly MacAddress WanMac = MacAddress.Parse("02:00:00:00:00:01");
    public static readonly MacAddress LanMac = MacAddress.Parse("02:00:00:00:00:02");
    public static readonly MacAddress ClientMac = MacAddress.Parse("02:00:00:00:01:01");
    public static readonly MacAddress ServerMac = MacAddress.Parse("02:00:00:00:02:01");

    private readonly Dictionary<string, MemoryPort> _ports = [];

    /// <summary>Workers of every plane that does not ask for a number itself: the same tests hold for several.</summary>
    public static readonly int Workers = int.Parse(Environment.GetEnvironmentVariable("DATAPLANE_TEST_WORKERS") ?? "1", CultureInfo.InvariantCulture);

    /// <summary>Whether every plane is captured: the same tests hold of what captures say.</summary>
    private static readonly bool s_captures = Environment.GetEnvironmentVariable("DATAPLANE_TEST_CAPTURE") == "1";

    private CaptureLedger? _ledger;
    private bool _isStrict;

    private TestPlane(DataplaneEngine engine, TestClock clock)
    {
        Engine = engine;
        Clock = clock;
    }

    public DataplaneEngine Engine { get; }

    public TestClock Clock { get; }

    public MemoryPort this[string port] => _ports[port];

    /// <summary>wan 198.51.100.1/24 and 2001:db8:1::1/64 with a client at .2, lan 10.1.0.1/24 and 2001:db8:2::1/64 with servers at .11 to .13.</summary>
    public static TestPlane Create(Action<DataplaneBuilder>? configure = null, bool withNeighbours = true, int lanMtu = 1500, int wanMtu = 1500)
    {
        var clock = new TestClock();
        var wan = new MemoryPort(new MemoryPortOptions { Mac = WanMac, Mtu = wanMtu });
        var lan = new MemoryPort(new MemoryPortOptions { Mac = LanMac, Mtu = lanMtu });
        DataplaneBuilder builder = new DataplaneBuilder()
            .Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan))
            .Workers(workers => workers with { Count = Workers, Seed = 1, FlowEntries = 4096 })
            .UseTimeProvider(clock);
        AddAddresses(builder, withNeighbours);
        configure?.Invoke(builder);
        var plane = new TestPlane(builder.Build(), clock) { _ports = { ["wan"] = wan, ["lan"] = lan } };
        plane.Begin();
        return plane;
    }

    /// <summary>An engine on ports of these names and whatever else is wanted.</summary>
    public static TestPlane Create(IEnumerable<string> ports, Action<DataplaneBuilder> configure, int lanMtu = 1500)
    {
        var clock = new TestClock();
        var made = ports.ToDictionary(name => name, name => new MemoryPort(new MemoryPortOptions { Mac = name == "wan" ? WanMac : LanMac, Mtu = name == "lan" ? lanMtu : 1500 }));
        DataplaneBuilder builder = new DataplaneBuilder().Workers(workers => workers with { Count = Workers, Seed = 1, FlowEntries = 4096 }).UseTimeProvider(clock);
        foreach ((string name, MemoryPort port) in made)
        {
            builder.Port(name, PortSource.Memory(port));
        }

        configure(builder);
        var plane = new TestPlane(builder.Build(), clock);
        foreach ((string name, MemoryPort port) in made)
        {
            plane._ports[name] = port;
        }

        plane.Begin();
        return plane;
    }

    /// <summary>From here on everything is captured: every packet must be there as often as it was counted and as it came out.</summary>
    public CaptureLedger Capture(int bufferBytes = 1 << 20)
    {
        _isStrict = true;
        return _ledger = new CaptureLedger(Engine, bufferBytes);
    }

    /// <summary>The interfaces, and the neighbours on them.</summary>
    public static void AddAddresses(DataplaneBuilder builder, bool withNeighbours)
    {
        builder.Interface("wan", "198.51.100.1/24").Interface("wan", "2001:db8:1::1/64")
            .Interface("lan", "10.1.0.1/24").Interface("lan", "2001:db8:2::1/64");
        if (!withNeighbours)
        {
            return;
        }

        builder.Neighbour("wan", "198.51.100.2", ClientMac.ToString()).Neighbour("wan", "2001:db8:1::2", ClientMac.ToString());
        foreach (int host in Enumerable.Range(11, 3))
        {
            builder.Neighbour("lan", $"10.1.0.{host}", ServerMac.ToString()).Neighbour("lan", $"2001:db8:2::{host}", ServerMac.ToString());
        }
    }

    /// <summary>Sends a frame in, lets the engine run until it is idle, and returns everything it has sent.</summary>
    public IReadOnlyList<(string Port, byte[] Frame)> Send(string port, byte[] frame)
    {
        Assert.True(_ports[port].TrySend(frame), "the test's frame found no room in the ring");
        return Run();
    }

    /// <summary>Sends a frame that must come out as exactly one frame by a port.</summary>
    public byte[] SendForOne(string port, byte[] frame, string expectedPort)
    {
        (string Port, byte[] Frame) sent = Assert.Single(Send(port, frame));
        Assert.Equal(expectedPort, sent.Port);
        return sent.Frame;
    }

    /// <summary>Sends a frame that must be dropped for a reason; returns what the engine originated about it.</summary>
    public IReadOnlyList<(string Port, byte[] Frame)> SendForDrop(string port, byte[] frame, DropReason reason)
    {
        long before = Engine.ReadAccounting().DroppedFor(reason);
        IReadOnlyList<(string, byte[])> sent = Send(port, frame);
        Accounting after = Engine.ReadAccounting();
        Assert.True(after.DroppedFor(reason) == before + 1, $"expected one more {reason.ToName()}, got: {after}");
        return sent;
    }

    /// <summary>Lets the engine run until it is idle.</summary>
    public IReadOnlyList<(string Port, byte[] Frame)> Run()
    {
        while (Engine.RunOnce() > 0)
        {
        }

        var frames = new List<(string, byte[])>();
        byte[] buffer = new byte[10000];
        foreach ((string name, MemoryPort port) in _ports)
        {
            while (port.TryReceive(buffer, out int length))
            {
                frames.Add((name, buffer[..length]));
            }
        }

        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        Compare(frames);
        return frames;
    }

    /// <summary>Lets time pass in steps, so that every timer has its turn.</summary>
    public IReadOnlyList<(string Port, byte[] Frame)> Wait(TimeSpan time)
    {
        var frames = new List<(string, byte[])>();
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += TimeSpan.FromMilliseconds(100))
        {
            Clock.Advance(TimeSpan.FromMilliseconds(100));
            frames.AddRange(Run());
        }

        return frames;
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Held == 0, accounting.ToString());
        _ledger?.AssertSums();
    }

    private void Begin()
    {
        Engine.StartManual();
        _ledger = s_captures ? new CaptureLedger(Engine) : null;
    }

    private void Compare(List<(string Port, byte[] Frame)> frames)
    {
        _ledger?.AssertSums();
        if (_isStrict)
        {
            _ledger!.AssertSent(frames);
        }
    }
}
