namespace Dataplane.Ports;

/// <summary>Counters of one port since it was opened. Frames without FCS; bytes from the first MAC byte.</summary>
public struct PortStatistics
{
    /// <summary>Frames handed to the engine.</summary>
    public long ReceivedPackets;

    /// <summary>Bytes handed to the engine.</summary>
    public long ReceivedBytes;

    /// <summary>Frames accepted from the engine.</summary>
    public long TransmittedPackets;

    /// <summary>Bytes accepted from the engine.</summary>
    public long TransmittedBytes;

    /// <summary>Frames the kernel (or the peer of the ring) dropped before the engine could see them.</summary>
    public long KernelDrops;

    /// <summary>Frames the port refused to send because its ring was full or its link not up.</summary>
    public long TransmitRefused;

    /// <summary>Frames accepted from the engine that did not leave, because the peer or the link went away before they were handed on.</summary>
    public long TransmitLost;

    /// <summary>Frames that were malformed at the ring itself: descriptors out of range, lengths beyond the slot.</summary>
    public long Errors;

    /// <summary>Of the frames received, those that carry several segments of TCP or UDP data; each counts as one frame.</summary>
    public long ReceivedSuperFrames;

    /// <summary>Of the frames transmitted, those that carry several segments of TCP or UDP data; each counts as one frame.</summary>
    public long TransmittedSuperFrames;

    /// <summary>Of the frames received, those that the port's XDP program forwarded by itself (<see cref="PortOffload.Xdp"/>).</summary>
    public long FastPathPackets;

    /// <summary>Adds up the counters of the queues of a port.</summary>
    internal static PortStatistics SumOf(IEnumerable<PortStatistics> queues)
    {
        PortStatistics sum = default;
        foreach (PortStatistics queue in queues)
        {
            sum.ReceivedPackets += queue.ReceivedPackets;
            sum.ReceivedBytes += queue.ReceivedBytes;
            sum.TransmittedPackets += queue.TransmittedPackets;
            sum.TransmittedBytes += queue.TransmittedBytes;
            sum.KernelDrops += queue.KernelDrops;
            sum.TransmitRefused += queue.TransmitRefused;
            sum.TransmitLost += queue.TransmitLost;
            sum.Errors += queue.Errors;
            sum.ReceivedSuperFrames += queue.ReceivedSuperFrames;
            sum.FastPathPackets += queue.FastPathPackets;
            sum.TransmittedSuperFrames += queue.TransmittedSuperFrames;
        }

        return sum;
    }
}
