using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.SystemTests.Ports;

/// <summary>Two namespaces joined by a veth pair, a port at either end (AF_PACKET unless said), and a place to make frames in.</summary>
internal sealed class PortBed : IDisposable
{
    private const int HeadroomBytes = 64;
    private readonly int _slotBytes;
    private readonly byte[] _frames;

    public PortBed(int slots = 1024, Func<string, NetworkNamespace, IPort>? open = null, int mtu = 1500)
    {
        _slotBytes = mtu + 548;
        _frames = new byte[PacketBatch.Capacity * _slotBytes];
        open ??= (name, home) => Open(name, home, slots);
        LeftHome = NetworkNamespace.Create("left");
        RightHome = NetworkNamespace.Create("right");
        NetworkNamespace.Connect(LeftHome, "a0", RightHome, "b0");
        LeftHome.Link("set", "a0", "mtu", $"{mtu}");
        RightHome.Link("set", "b0", "mtu", $"{mtu}");
        Left = open("a0", LeftHome);
        Right = open("b0", RightHome);
    }

    public NetworkNamespace LeftHome { get; }

    public NetworkNamespace RightHome { get; }

    public IPort Left { get; }

    public IPort Right { get; }

    public static IPort Open(string interfaceName, NetworkNamespace home, int slots) => new AfPacketPortFactory(interfaceName)
    {
        ReceiveOptions = new AfPacketReceiveOptions { NetworkNamespace = home.Name },
        TransmitOptions = new AfPacketTransmitOptions { NetworkNamespace = home.Name, SlotCount = slots },
    }.Open(interfaceName);

    public static short[] AllOf(PacketBatch batch) => [.. Enumerable.Range(0, batch.Count).Select(i => (short)i)];

    public PacketBatch NewBatch()
    {
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), MonotonicClock.NowNs);
        batch.SetMemory(_frames);
        return batch;
    }

    public void AddFrame(PacketBatch batch, byte[] frame)
    {
        int offset = (batch.Count * _slotBytes) + HeadroomBytes;
        frame.CopyTo(_frames, offset);
        Assert.True(batch.Add(offset, frame.Length));
    }

    public void SendFrom(IPort port, params byte[][] frames)
    {
        PacketBatch batch = NewBatch();
        foreach (byte[] frame in frames)
            AddFrame(batch, frame);
        Assert.Equal(frames.Length, port.Transmit(batch, AllOf(batch)));
        port.Flush();
    }

    public bool WaitReadable(IPort port, long timeoutNs = 10_000_000_000)
    {
        using var wake = new EventDescriptor();
        using var poller = new Poller([port.PollDescriptor!], wake);
        long end = MonotonicClock.NowNs + timeoutNs;
        while (poller.Wait(Math.Max(0, end - MonotonicClock.NowNs)) == 0)
        {
            if (MonotonicClock.NowNs >= end)
                return false;
        }

        return true;
    }

    /// <summary>Copies the numbered frames out until there are as many as asked for, or nothing came for ten seconds; then looks that no more come.</summary>
    public List<byte[]> Collect(IPort port, int count)
    {
        var frames = new List<byte[]>();
        var batch = new PacketBatch();
        while (frames.Count < count && WaitReadable(port))
            Take();
        if (WaitReadable(port, 5_000_000))
            Take();
        return frames;

        void Take()
        {
            batch.Clear(new PortId(0), 0);
            port.Receive(batch);
            for (int i = 0; i < batch.Count; i++)
                frames.Add(batch.Frame(i).ToArray());
            port.Release(batch);
        }
    }

    public LinkState AwaitLink(IPort port, LinkState wanted)
    {
        long end = MonotonicClock.NowNs + 10_000_000_000;
        while (port.Link != wanted && MonotonicClock.NowNs < end)
            Thread.Yield();
        return port.Link;
    }

    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
        LeftHome.Dispose();
        RightHome.Dispose();
    }
}
