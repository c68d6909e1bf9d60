namespace Dataplane.Mesh.Relay;

/// <summary>What happened at a listener. Any thread.</summary>
internal sealed class ListenerCounters
{
    private readonly long[] _ends = new long[RelayNames.Reasons * RelayNames.Sides];
    private long _accepted;
    private long _active;
    private long _fromClient;
    private long _toClient;
    private long _handshakes;
    private long _handshakeNs;

    internal long Accepted => Interlocked.Read(ref _accepted);

    internal long Active => Interlocked.Read(ref _active);

    /// <summary>Bytes of applications from clients to destinations.</summary>
    internal long FromClient => Interlocked.Read(ref _fromClient);

    /// <summary>Bytes of applications from destinations to clients.</summary>
    internal long ToClient => Interlocked.Read(ref _toClient);

    /// <summary>Handshakes that succeeded, on either side.</summary>
    internal long Handshakes => Interlocked.Read(ref _handshakes);

    /// <summary>Nanoseconds they took together.</summary>
    internal long HandshakeNs => Interlocked.Read(ref _handshakeNs);

    internal void Accept()
    {
        Interlocked.Increment(ref _accepted);
        Interlocked.Increment(ref _active);
    }

    internal void End(in RelayEnd end)
    {
        Interlocked.Decrement(ref _active);
        Interlocked.Increment(ref _ends[(int)end.Side * RelayNames.Reasons + (int)end.Reason]);
    }

    internal void Handshake(TimeSpan took)
    {
        Interlocked.Increment(ref _handshakes);
        Interlocked.Add(ref _handshakeNs, (long)took.TotalNanoseconds);
    }

    internal void Carried(bool isFromClient, int bytes) => Interlocked.Add(ref isFromClient ? ref _fromClient : ref _toClient, bytes);

    internal long Ended(RelayReason reason, RelaySide side) => Interlocked.Read(ref _ends[(int)side * RelayNames.Reasons + (int)reason]);
}
