using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>A socket path of its own, and a server and a client port on it.</summary>
internal sealed class MemifBed : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("memif");
    private readonly List<IPort> _ports = [];

    public string SocketPath => Path.Combine(_folder.FullName, "m.sock");

    public IPort Open(PortRole role, MemifOptions? options = null, int? mtu = null, uint id = 0)
    {
        IPort port = new MemifPortFactory(SocketPath, id, role) { Options = options ?? new MemifOptions { RingEntries = 64 }, Mtu = mtu }.Open(role.ToString());
        _ports.Add(port);
        return port;
    }

    public (IPort Server, IPort Client) OpenBoth(MemifOptions? options = null, int? mtu = null)
    {
        (IPort server, IPort client) = (Open(PortRole.Server, options, mtu), Open(PortRole.Client, options, mtu));
        AwaitLink(server, LinkState.Up);
        AwaitLink(client, LinkState.Up);
        return (server, client);
    }

    /// <summary>Waits for a state; the port's worker, which is the caller, goes on looking at it.</summary>
    public static void AwaitLink(IPort port, LinkState wanted) => Await(() => port.Link == wanted, port);

    public static void Await(Func<bool> condition, params IPort[] worked)
    {
        var batch = new PacketBatch();
        long end = Environment.TickCount64 + (long)TestPorts.Patience.TotalMilliseconds;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 < end, $"waited in vain: {string.Join(", ", worked.Select(port => $"{port.Link} {port.LinkReason}"))}");
            foreach (IPort port in worked)
            {
                batch.Clear(new PortId(0), 0);
                Assert.Equal(0, port.Receive(batch));
            }

            Thread.Sleep(1);
        }
    }

    /// <summary>Receives until so many frames have come.</summary>
    public static List<byte[]> Collect(IPort port, int count)
    {
        var frames = new List<byte[]>();
        long end = Environment.TickCount64 + (long)TestPorts.Patience.TotalMilliseconds;
        while (frames.Count < count && Environment.TickCount64 < end)
            frames.AddRange(TestFrames.ReceiveAll(port));
        return frames;
    }

    public static int Send(IPort port, params IReadOnlyList<byte[]> frames)
    {
        PacketBatch batch = TestFrames.Batch(frames);
        int sent = port.Transmit(batch, TestFrames.All(batch));
        port.Flush();
        return sent;
    }

    public static PortStatistics Statistics(IPort port)
    {
        port.ReadStatistics(out PortStatistics statistics);
        return statistics;
    }

    public void Close(IPort port)
    {
        _ports.Remove(port);
        port.Dispose();
    }

    public void Dispose()
    {
        _ports.ForEach(port => port.Dispose());
        _folder.Delete(recursive: true);
    }
}
