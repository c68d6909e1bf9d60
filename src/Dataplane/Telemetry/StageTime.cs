namespace Dataplane.Telemetry;

/// <summary>What one stage has taken.</summary>
/// <param name="Name">Name of the stage, such as <c>filter</c>.</param>
/// <param name="Nanoseconds">Time in it, over all packets measured.</param>
/// <param name="Packets">Packets in the batches measured, whether or not the stage looked at each.</param>
public sealed record StageTime(string Name, long Nanoseconds, long Packets)
{
    /// <summary>Nanoseconds per packet of the batches.</summary>
    public double NanosecondsPerPacket => Packets == 0 ? 0 : (double)Nanoseconds / Packets;

    /// <summary>Cycles of the time stamp counter per packet; 0 where its rate is not known.</summary>
    public double CyclesPerPacket => NanosecondsPerPacket * CycleRate.PerNanosecond;
}
