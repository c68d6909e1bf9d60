using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>Queues of a port that one worker runs: received from in turn, sent by the first of them, so that no flow is spread over two.</summary>
internal sealed class QueueBundle : IPort
{
    private readonly IPort[] _queues;
    private IPort _current;
    private int _next;

    /// <param name="queues">Two or more; they belong to whoever opened them.</param>
    public QueueBundle(IPort[] queues)
    {
        _queues = queues;
        _current = queues[0];
    }

    /// <inheritdoc/>
    public MacAddress Mac => _queues[0].Mac;

    /// <inheritdoc/>
    public int Mtu => _queues[0].Mtu;

    /// <inheritdoc/>
    public LinkState Link => _queues[0].Link;

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => null;

    /// <inheritdoc/>
    IReadOnlyList<FileDescriptor> IPort.PollDescriptors => [.. _queues.SelectMany(queue => queue.PollDescriptors)];

    /// <inheritdoc/>
    FrameOffloads IPort.Offloads => _queues[0].Offloads;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        for (int looked = 0; looked < _queues.Length; looked++)
        {
            _current = _queues[_next];
            _next = _next + 1 == _queues.Length ? 0 : _next + 1;
            int received = _current.Receive(batch);
            if (received > 0)
            {
                return received;
            }
        }

        return 0;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch) => _current.Release(batch);

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets) => _queues[0].Transmit(batch, packets);

    /// <inheritdoc/>
    public void Flush() => _queues[0].Flush();

    /// <inheritdoc/>
    int IPort.TakeWithdrawn(bool isEnd, out DropReason reason) => _queues[0].TakeWithdrawn(isEnd, out reason);

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // The worker sleeps on the descriptor.
    }

    /// <inheritdoc/>
    public void PrepareSleep()
    {
        foreach (IPort queue in _queues)
        {
            queue.PrepareSleep();
        }
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = PortStatistics.SumOf(_queues.Select(QueuedPort.Read));

    /// <inheritdoc/>
    public void Dispose()
    {
        // The queues belong to whoever opened them.
    }
}
