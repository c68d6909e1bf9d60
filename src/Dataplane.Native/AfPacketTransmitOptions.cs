namespace Dataplane.Native;

/// <summary>Shape of an <see cref="AfPacketTransmitter"/>'s ring.</summary>
public sealed record AfPacketTransmitOptions
{
    /// <summary>Number of slots, 64 to 16,384; rounded up so that whole blocks are filled.</summary>
    public int SlotCount { get; init; } = 1024;

    /// <summary>Longest frame in bytes without FCS; 0 takes the interface's MTU, an Ethernet header and one VLAN tag.</summary>
    public int MaxFrameBytes { get; init; }

    /// <summary>Whether frames go straight to the driver, past queueing disciplines (PACKET_QDISC_BYPASS).</summary>
    public bool BypassQueueingDiscipline { get; init; } = true;

    /// <summary>Whether frames of up to 64 KB go as well that the kernel has yet to cut (<see cref="AfPacketTransmitter.SendSuperFrame"/>).</summary>
    internal bool SuperFrames { get; init; }

    /// <summary>Network namespace of the interface: null for the current one, a name as in <c>ip netns list</c>, or a path.</summary>
    public string? NetworkNamespace { get; init; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(SlotCount, 64);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(SlotCount, 16384);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxFrameBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxFrameBytes, 65535);
    }
}
