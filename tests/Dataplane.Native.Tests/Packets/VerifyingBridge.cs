using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Dataplane.Native.Tests.Packets;

/// <summary>
/// A client and a server namespace whose only connection is this process: frames go from ring to ring both ways, and each is decoded and
/// verified on its way by code that shares nothing with the library.
/// </summary>
internal sealed class VerifyingBridge : IDisposable
{
    private readonly NetworkNamespace _client = NetworkNamespace.Create("client");
    private readonly NetworkNamespace _middle = NetworkNamespace.Create("middle");
    private readonly NetworkNamespace _server = NetworkNamespace.Create("server");
    private readonly Thread _thread;
    private readonly EventDescriptor _wake = new();
    private readonly Dictionary<int, uint> _nextSequence = [];
    private volatile bool _stopping;

    public VerifyingBridge(AfPacketRing ring)
    {
        NetworkNamespace.Connect(_client, "c0", _middle, "m0");
        NetworkNamespace.Connect(_server, "s0", _middle, "m1");
        _client.Address("c0", "10.77.0.1/24");
        _client.Address("c0", "fd77::1/64");
        _server.Address("s0", "10.77.0.2/24");
        _server.Address("s0", "fd77::2/64");
        var opened = new TaskCompletionSource();
        _thread = new Thread(() => Run(opened, ring)) { IsBackground = true };
        _thread.Start();
        opened.Task.GetAwaiter().GetResult();
    }

    public ConcurrentQueue<string> Faults { get; } = [];

    public AfPacketReceiveStatistics ClientSide { get; private set; }

    public int LongestFrame { get; private set; }

    public int Gaps { get; private set; }

    public long DataBytes { get; private set; }

    public Socket ClientSocket(Func<Socket> make) => NamespaceThread.Run(_client.Name, make);

    public Socket ServerSocket(Func<Socket> make) => NamespaceThread.Run(_server.Name, make);

    public void Stop()
    {
        _stopping = true;
        _wake.Signal();
        _thread.Join();
    }

    public void Dispose()
    {
        Stop();
        _wake.Dispose();
        _client.Dispose();
        _middle.Dispose();
        _server.Dispose();
    }

    private void Run(TaskCompletionSource opened, AfPacketRing ring)
    {
        var rx = new AfPacketReceiveOptions { Ring = ring, NetworkNamespace = _middle.Name };
        var tx = new AfPacketTransmitOptions { NetworkNamespace = _middle.Name };
        using var fromClient = AfPacketReceiver.Open("m0", rx);
        using var fromServer = AfPacketReceiver.Open("m1", rx);
        using var toClient = AfPacketTransmitter.Open("m0", tx);
        using var toServer = AfPacketTransmitter.Open("m1", tx);
        using var poller = new Poller([fromClient.Descriptor, fromServer.Descriptor], _wake);
        opened.SetResult();
        while (!_stopping)
        {
            poller.Wait(-1);
            Pass(fromClient, toServer);
            Pass(fromServer, toClient);
        }

        ClientSide = fromClient.ReadStatistics();
    }

    private void Pass(AfPacketReceiver from, AfPacketTransmitter to)
    {
        int[] offsets = new int[64], lengths = new int[64];
        for (int count; (count = from.Receive(offsets, lengths)) > 0;)
        {
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<byte> frame = from.Region.Span.Slice(offsets[i], lengths[i]);
                Inspect(frame);
                while (!to.TryReserve(frame.Length, out _))
                    to.Kick();
                to.TryReserve(frame.Length, out Span<byte> slot);
                frame.CopyTo(slot);
                to.Submit();
            }

            while (to.Kick() == TransmitResult.Congested)
                Thread.Yield();
            from.ReleaseReceived();
        }
    }

    private void Inspect(ReadOnlySpan<byte> frame)
    {
        LongestFrame = Math.Max(LongestFrame, frame.Length);
        if (Frames.Verify(frame, out Frames.Decoded decoded) is string fault)
            Faults.Enqueue($"{fault} in {Convert.ToHexString(frame)}");
        if (decoded.Protocol != 6)
            return;

        DataBytes += decoded.PayloadBytes;
        if (_nextSequence.TryGetValue(decoded.SourcePort, out uint expected) && (int)(decoded.Sequence - expected) > 0)
            Gaps++;
        bool syn = (decoded.Flags & 2) != 0, fin = (decoded.Flags & 1) != 0;
        uint next = decoded.Sequence + (uint)decoded.PayloadBytes + (syn || fin ? 1u : 0u);
        if (expected == 0 || (int)(next - expected) > 0)
            _nextSequence[decoded.SourcePort] = next;
    }
}
