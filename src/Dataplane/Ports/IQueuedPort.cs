namespace Dataplane.Ports;

/// <summary>A port whose queues belong to several workers: each has a part of it to itself, and everyone else sees one port.</summary>
/// <remarks>When one worker has all queues, the port itself is the part.</remarks>
internal interface IQueuedPort : IPort
{
    /// <summary>The part of a worker; null when none of the queues is its.</summary>
    IPort? PartOf(int worker);

    /// <summary>Reads the counters of each queue, in their order. Any thread.</summary>
    IReadOnlyList<PortStatistics> ReadQueues();
}
