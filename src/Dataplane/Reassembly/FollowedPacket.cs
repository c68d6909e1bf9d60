namespace Dataplane.Reassembly;

/// <summary>What a later fragment has from the first of its datagram.</summary>
internal struct FollowedPacket
{
    /// <summary>Source port in the upper half, destination port in the lower; of echo the identifier in both.</summary>
    public uint Ports;

    /// <summary>Of TCP, the sequence number behind the fragment's last byte.</summary>
    public uint End;

    /// <summary>Protocol of the transport header.</summary>
    public byte Protocol;

    /// <summary>TCP flags; of ICMP the type.</summary>
    public byte Flags;
}
