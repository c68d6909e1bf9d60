namespace Dataplane.Native.Tests.Packets;

/// <summary>Two namespaces joined by a veth pair (a0, b0): a transmitter on the left, a receiver on the right.</summary>
internal sealed class PacketBed : IDisposable
{
    private readonly EventDescriptor _wake = new();
    private readonly Poller _poller;

    public PacketBed(AfPacketReceiveOptions? receive = null, AfPacketTransmitOptions? transmit = null)
    {
        Left = NetworkNamespace.Create("left");
        Right = NetworkNamespace.Create("right");
        NetworkNamespace.Connect(Left, "a0", Right, "b0");
        Receiver = AfPacketReceiver.Open("b0", (receive ?? new AfPacketReceiveOptions()) with { NetworkNamespace = Right.Name });
        Transmitter = AfPacketTransmitter.Open("a0", (transmit ?? new AfPacketTransmitOptions()) with { NetworkNamespace = Left.Name });
        _poller = new Poller([Receiver.Descriptor], _wake);
    }

    public NetworkNamespace Left { get; }

    public NetworkNamespace Right { get; }

    public AfPacketReceiver Receiver { get; }

    public AfPacketTransmitter Transmitter { get; }

    public void Submit(ReadOnlySpan<byte> frame)
    {
        Assert.True(Transmitter.TryReserve(frame.Length, out Span<byte> slot));
        frame.CopyTo(slot);
        Transmitter.Submit();
    }

    public void Send(ReadOnlySpan<byte> frame)
    {
        Submit(frame);
        Assert.Equal(TransmitResult.Done, Transmitter.Kick());
    }

    public bool WaitReadable(long timeoutNs = 10_000_000_000)
    {
        long end = MonotonicClock.NowNs + timeoutNs;
        while (_poller.Wait(Math.Max(0, end - MonotonicClock.NowNs)) == 0)
        {
            if (MonotonicClock.NowNs >= end)
                return false;
        }

        return true;
    }

    /// <summary>Copies frames out until there are as many as asked for, or nothing came for ten seconds; then looks that no more come.</summary>
    public List<byte[]> Collect(int count)
    {
        var frames = new List<byte[]>();
        int[] offsets = new int[64], lengths = new int[64];
        while (frames.Count < count && WaitReadable())
            Take();
        if (WaitReadable(5_000_000))
            Take();
        return frames;

        void Take()
        {
            int listed = Receiver.Receive(offsets, lengths);
            for (int i = 0; i < listed; i++)
                frames.Add(Receiver.Region.Span.Slice(offsets[i], lengths[i]).ToArray());
            Receiver.ReleaseReceived();
        }
    }

    public void Dispose()
    {
        _poller.Dispose();
        _wake.Dispose();
        Transmitter.Dispose();
        Receiver.Dispose();
        Left.Dispose();
        Right.Dispose();
    }
}
