using System.Diagnostics;
using Dataplane.Ports;

namespace Dataplane.Tests.Support;

/// <summary>In-memory ports of a test by name: sends frames into an engine and collects what comes out. Ports can be added while the engine runs.</summary>
/// <remarks>All waits end by themselves: a test that would hang fails after <see cref="Patience"/> and says what it has seen by then.</remarks>
internal sealed class TestPorts
{
    /// <summary>How long a wait lasts before the test fails. Far more than any correct run needs, so that a loaded machine does not matter.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Whether there is time for all rounds of opening and closing; in every other run some have to do.</summary>
    internal static readonly bool IsForAllCycles = Environment.GetEnvironmentVariable("DATAPLANE_ALL_CYCLES") == "1";

    private readonly Dictionary<string, MemoryPort> _ports = [];

    /// <summary>A port that was added.</summary>
    internal MemoryPort this[string name] => _ports[name];

    /// <summary>The names of all ports, in the order they were added.</summary>
    internal IReadOnlyCollection<string> Names => _ports.Keys;

    /// <summary>Makes a port, to be handed to the builder with <see cref="PortSource.Memory"/>.</summary>
    internal MemoryPort Add(string name, MemoryPortOptions? options = null)
    {
        var port = new MemoryPort(options);
        _ports.Add(name, port);
        return port;
    }

    /// <summary>Sends frames in order; waits where the ring is full.</summary>
    internal void Send(string name, params IEnumerable<byte[]> frames)
    {
        MemoryPort port = _ports[name];
        foreach (byte[] frame in frames)
            WaitFor(() => port.TrySend(frame), () => $"port '{name}' refuses frames: link {port.Link}, {port.PendingSent} pending");
    }

    /// <summary>Receives exactly <paramref name="count"/> frames, waiting for them; more that wait stay where they are.</summary>
    internal IReadOnlyList<byte[]> Receive(string name, int count)
    {
        MemoryPort port = _ports[name];
        var frames = new List<byte[]>();
        while (frames.Count < count)
        {
            if (!port.WaitToReceive(Patience))
                Assert.Fail($"port '{name}': {frames.Count} of {count} frames came:\n{Describe(frames)}");
            using ReceivedFrames received = port.ReceiveMany(count - frames.Count);
            foreach (ReadOnlySpan<byte> frame in received)
                frames.Add(frame.ToArray());
        }

        return frames;
    }

    /// <summary>Receives one frame, waiting for it.</summary>
    internal byte[] ReceiveOne(string name) => Receive(name, 1)[0];

    /// <summary>Receives what waits now, perhaps nothing.</summary>
    internal IReadOnlyList<byte[]> Drain(string name)
    {
        var frames = new List<byte[]>();
        byte[] buffer = new byte[_ports[name].MaxFrameBytes];
        while (_ports[name].TryReceive(buffer, out int length))
            frames.Add(buffer[..length]);
        return frames;
    }

    /// <summary>Waits until the engine is through with every frame sent on any port: what it made of them is then in the rings.</summary>
    /// <remarks>Not for packets that wait in the engine, for a neighbour for instance.</remarks>
    internal void WaitUntilProcessed()
    {
        foreach ((string name, MemoryPort port) in _ports)
            WaitFor(() => port.IsDrained, () => $"port '{name}': the engine has not finished with {port.PendingSent} frames");
    }

    /// <summary>Waits until a condition holds; fails with a description when it never does.</summary>
    internal static void WaitFor(Func<bool> condition, Func<string> describe)
    {
        long start = Stopwatch.GetTimestamp();
        var spin = default(SpinWait);
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Patience)
                Assert.Fail(describe());
            spin.SpinOnce();
        }
    }

    private static string Describe(List<byte[]> frames) => string.Join('\n', frames.Select(frame => $"  {frame.Length} bytes: {Convert.ToHexString(frame)}"));
}
