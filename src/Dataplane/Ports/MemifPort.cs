using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>A port on memory that another process shares (memif).</summary>
/// <remarks>The connection is made and ended by the <see cref="MemifAgent"/> on its thread; workers take over what is published to their lanes.</remarks>
internal sealed class MemifPort : IQueuedPort
{
    private readonly MemifLane[] _lanes;
    private readonly int[] _workers;
    private MemifConnection? _published;
    private string _reason = MemifReasons.TextOf(MemifReason.NoPeer);

    /// <param name="settings">What it is opened with.</param>
    /// <param name="workers">The workers that run its queues; null: there is but one.</param>
    public MemifPort(MemifSettings settings, int[]? workers = null)
    {
        Settings = settings;
        _workers = workers ?? [0];
        _lanes = [.. _workers.Select(_ => new MemifLane(this))];
    }

    public MemifSettings Settings { get; }

    /// <inheritdoc/>
    public MacAddress Mac => Settings.Mac;

    /// <inheritdoc/>
    public int Mtu => Settings.Mtu;

    /// <inheritdoc/>
    public LinkState Link => Volatile.Read(ref _published) is null ? LinkState.Down : LinkState.Up;

    /// <inheritdoc/>
    public string LinkReason => Link == LinkState.Up ? "" : Volatile.Read(ref _reason);

    /// <inheritdoc/>
    public string Description => Settings.Options.Queues == 1 ? ""
        : $"{Volatile.Read(ref _published)?.Receivers.Length ?? 0} queues in, {Volatile.Read(ref _published)?.Transmitters.Length ?? 0} out, "
            + $"{Settings.Options.Queues} asked for";

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _lanes[0].PollDescriptor;

    /// <inheritdoc/>
    public IPort? PartOf(int worker) => Array.IndexOf(_workers, worker) is >= 0 and var lane ? _lanes[lane] : null;

    /// <inheritdoc/>
    public IReadOnlyList<PortStatistics> ReadQueues() => _lanes.Length == 1 ? [] : [.. _lanes.Select(QueuedPort.Read)];

    /// <inheritdoc/>
    public int Receive(PacketBatch batch) => _lanes[0].Receive(batch);

    /// <inheritdoc/>
    public void Release(PacketBatch batch) => _lanes[0].Release(batch);

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets) => _lanes[0].Transmit(batch, packets);

    /// <inheritdoc/>
    public void Flush() => _lanes[0].Flush();

    /// <inheritdoc/>
    public void PrepareSleep() => _lanes[0].PrepareSleep();

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // Workers sleep on descriptors.
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = PortStatistics.SumOf(_lanes.Select(QueuedPort.Read));

    /// <summary>Tells the peer, and gives everything back. Nothing may call the port any more.</summary>
    public void Dispose()
    {
        MemifAgent.Close(this);
        Array.ForEach(_lanes, lane => lane.Dispose());
    }

    /// <summary>The agent has a connection for the workers.</summary>
    internal void Publish(MemifConnection connection)
    {
        MemifShare[] shares = connection.Start(_lanes.Length);
        for (int lane = 0; lane < _lanes.Length; lane++)
            _lanes[lane].Publish(shares[lane]);
        Volatile.Write(ref _published, connection);
    }

    /// <summary>The agent takes the connection away; it may be disposed once <see cref="MemifConnection.IsEnded"/>.</summary>
    internal void Withdraw()
    {
        Volatile.Write(ref _published, null);
        Array.ForEach(_lanes, lane => lane.Withdraw());
    }

    /// <summary>The agent says why the link is down.</summary>
    internal void Explain(string reason) => Volatile.Write(ref _reason, reason);
}
