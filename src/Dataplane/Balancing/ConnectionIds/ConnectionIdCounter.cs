using Dataplane.Telemetry;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>Counts what the connection IDs of a service's packets said: one for each worker, the first of which knows the others. Written by one worker, read by any thread.</summary>
internal sealed class ConnectionIdCounter
{
    private readonly long[] _packets = new long[ConnectionIdOutcomes.Count];
    private ConnectionIdCounter[] _others = [];
    private long _begun, _moved;

    private long Begun => Volatile.Read(ref _begun) + Volatile.Read(ref _others).Sum(other => Volatile.Read(ref other._begun));

    private long Moved => Volatile.Read(ref _moved) + Volatile.Read(ref _others).Sum(other => Volatile.Read(ref other._moved));

    /// <summary>All of it, all workers'. Any thread.</summary>
    public ConnectionIdStatus Read() => new(
        PacketsOf(ConnectionIdOutcome.Routed), PacketsOf(ConnectionIdOutcome.ClientChosen), PacketsOf(ConnectionIdOutcome.UnknownType), PacketsOf(ConnectionIdOutcome.WrongLength),
        PacketsOf(ConnectionIdOutcome.NoConfiguration), PacketsOf(ConnectionIdOutcome.UnknownServer), PacketsOf(ConnectionIdOutcome.Unavailable), Begun, Moved);

    private long PacketsOf(ConnectionIdOutcome outcome) =>
        Volatile.Read(ref _packets[(int)outcome]) + Volatile.Read(ref _others).Sum(other => Volatile.Read(ref other._packets[(int)outcome]));

    /// <summary>The counters of a worker; for the first worker these. Control side.</summary>
    public ConnectionIdCounter OfWorker(int worker)
    {
        while (_others.Length < worker)
        {
            Volatile.Write(ref _others, [.. _others, new ConnectionIdCounter()]);
        }

        return worker == 0 ? this : _others[worker - 1];
    }

    /// <summary>Counts a packet.</summary>
    public void Count(ConnectionIdOutcome outcome) => Volatile.Write(ref _packets[(int)outcome], _packets[(int)outcome] + 1);

    /// <summary>Counts a flow that begins by a connection ID.</summary>
    public void CountBegun() => Volatile.Write(ref _begun, _begun + 1);

    /// <summary>Counts a flow that goes to another backend by one.</summary>
    public void CountMoved() => Volatile.Write(ref _moved, _moved + 1);
}
