namespace Dataplane.Telemetry;

/// <summary>One worker: what it has, what became of its packets, and what its time went to.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Ports">Names of its ports.</param>
/// <param name="Accounting">What became of its packets. A packet handed over is held by the one, and released by the other, whose <c>Held</c> may so be below 0.</param>
/// <param name="HandedOver">Packets given to other workers.</param>
/// <param name="TakenOver">Packets got from other workers.</param>
/// <param name="FlowEntries">Flow table entries in use, two per flow.</param>
public sealed record WorkerStatus(int Index, IReadOnlyList<string> Ports, Accounting Accounting, long HandedOver, long TakenOver, int FlowEntries)
{
    /// <summary>Copies of neighbour messages that found no room in the ring to another worker.</summary>
    public long NeighbourCopiesLost { get; init; }

    /// <summary>Rounds in which it received something.</summary>
    public long BusyRounds { get; init; }

    /// <summary>Rounds in which it found nothing; sleep is in neither.</summary>
    public long IdleRounds { get; init; }

    /// <summary>Nanoseconds spent in busy rounds. 0 for an engine driven by hand.</summary>
    public long BusyNs { get; init; }

    /// <summary>Nanoseconds spent in rounds that found nothing.</summary>
    public long IdleNs { get; init; }

    /// <summary>Times it went to sleep.</summary>
    public long Sleeps { get; init; }

    /// <summary>Packets of the busy rounds, from ports and from other workers.</summary>
    public long Packets { get; init; }

    /// <summary>Batches received from ports by size: 1, 2 to 3, 4 to 7, and so on to 256.</summary>
    public IReadOnlyList<long> BatchSizes { get; init; } = [];

    /// <summary>Nanoseconds of each stage while they were measured, in packet order; empty when they never were.</summary>
    public IReadOnlyList<StageTime> Stages { get; init; } = [];

    /// <summary>Nanoseconds of busy rounds per packet; 0 before the first.</summary>
    public double NanosecondsPerPacket => Packets == 0 ? 0 : (double)BusyNs / Packets;

    /// <summary>Cycles of the time stamp counter per packet, polls that found nothing apart; 0 before the first packet, or where the counter's rate is not
    /// known.</summary>
    public double CyclesPerPacket => NanosecondsPerPacket * CycleRate.PerNanosecond;
}
