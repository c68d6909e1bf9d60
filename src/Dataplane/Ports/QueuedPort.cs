using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port that consists of several queues, each a port of its own to the worker that runs it.</summary>
/// <remarks>
/// The kernel keeps a flow to one queue, so it comes to one worker; each worker sends by its own queue, so nothing is handed over for that alone.
/// The members for the worker are for the case that one runs all queues.
/// </remarks>
internal sealed class QueuedPort : IQueuedPort
{
    private readonly IPort[] _queues;
    private readonly Dictionary<int, IPort> _parts = [];
    private readonly IPort _sole;

    /// <param name="queues">The queues in their order; they belong to the port from here on.</param>
    /// <param name="workers">By queue: the worker that runs it.</param>
    public QueuedPort(IPort[] queues, IReadOnlyList<int> workers)
    {
        _queues = queues;
        foreach (IGrouping<int, IPort> ofWorker in queues.Select((queue, index) => (queue, worker: workers[index])).GroupBy(entry => entry.worker, entry => entry.queue))
        {
            IPort[] mine = [.. ofWorker];
            _parts[ofWorker.Key] = mine.Length == 1 ? mine[0] : new QueueBundle(mine);
        }

        _sole = _parts[workers[0]];
    }

    /// <summary>The first of the queues.</summary>
    public IPort First => _queues[0];

    /// <summary>What each worker has of them.</summary>
    public IEnumerable<IPort> Parts => _parts.Values;

    /// <summary>All of them, in their order.</summary>
    public IReadOnlyList<IPort> Queues => _queues;

    /// <inheritdoc/>
    public MacAddress Mac => _sole.Mac;

    /// <inheritdoc/>
    public int Mtu => _sole.Mtu;

    /// <inheritdoc/>
    public LinkState Link => _sole.Link;

    /// <inheritdoc/>
    public string LinkReason => _queues[0].LinkReason;

    /// <inheritdoc/>
    public string Description => _queues[0].Description.Length == 0 ? $"{_queues.Length} queues" : $"{_queues[0].Description}, {_queues.Length} queues";

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _sole.PollDescriptor;

    /// <inheritdoc/>
    IReadOnlyList<FileDescriptor> IPort.PollDescriptors => _sole.PollDescriptors;

    /// <inheritdoc/>
    FrameOffloads IPort.Offloads => _sole.Offloads;

    /// <inheritdoc/>
    public IPort? PartOf(int worker) => _parts.GetValueOrDefault(worker);

    /// <inheritdoc/>
    public IReadOnlyList<PortStatistics> ReadQueues() => [.. _queues.Select(Read)];

    /// <inheritdoc/>
    public int Receive(PacketBatch batch) => _sole.Receive(batch);

    /// <inheritdoc/>
    public void Release(PacketBatch batch) => _sole.Release(batch);

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets) => _sole.Transmit(batch, packets);

    /// <inheritdoc/>
    public void Flush() => _sole.Flush();

    /// <inheritdoc/>
    int IPort.TakeWithdrawn(bool isEnd, out DropReason reason) => _sole.TakeWithdrawn(isEnd, out reason);

    /// <inheritdoc/>
    public void PrepareSleep() => _sole.PrepareSleep();

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // Workers sleep on descriptors.
    }

    /// <inheritdoc/>
    public IReadOnlyList<PortEvent> ReadEvents() => _queues[0].ReadEvents();

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = PortStatistics.SumOf(ReadQueues());

    /// <summary>Closes all queues.</summary>
    public void Dispose() => Array.ForEach(_queues, queue => queue.Dispose());

    internal static PortStatistics Read(IPort queue)
    {
        queue.ReadStatistics(out PortStatistics statistics);
        return statistics;
    }

    /// <summary>Opens queues one by one; if one cannot be opened, those before are closed again.</summary>
    internal static QueuedPort Open(IReadOnlyList<int> workers, Func<int, IPort> open)
    {
        var opened = new List<IPort>();
        try
        {
            for (int queue = 0; queue < workers.Count; queue++)
            {
                opened.Add(open(queue));
            }

            return new QueuedPort([.. opened], workers);
        }
        catch
        {
            opened.ForEach(queue => queue.Dispose());
            throw;
        }
    }
}
