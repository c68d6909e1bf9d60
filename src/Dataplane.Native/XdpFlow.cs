using System.Runtime.InteropServices;

namespace Dataplane.Native;

/// <summary>What the fast path knows a packet's flow by: 44 bytes as they stand in the frame, without a gap.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = XdpFlowMap.KeyBytes)]
internal struct XdpFlowKey
{
    /// <summary>Number of the interface it comes by.</summary>
    public int Interface;

    /// <summary>Source and destination port, as on the wire.</summary>
    public uint Ports;

    /// <summary>Source, as on the wire; of IPv4, the first word alone.</summary>
    public ulong Source0, Source1;

    /// <summary>Destination.</summary>
    public ulong Destination0, Destination1;

    /// <summary>Protocol in the low byte, family in the next.</summary>
    public uint Protocol;
}

/// <summary>What the fast path does with the packets of a flow.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = XdpFlowMap.FlowBytes)]
internal struct XdpFlow
{
    /// <summary>When this was written: it holds while <see cref="XdpFlowMap.Epoch"/> is the same.</summary>
    public uint Epoch;

    /// <summary>Where its packets are counted.</summary>
    public int Slot;

    /// <summary>The device it leaves by, as <see cref="XdpFlowMap.AddDevice"/> numbers them.</summary>
    public int Device;

    /// <summary>The longest frame, in bytes.</summary>
    public int MaxFrameBytes;

    /// <summary>The first twelve bytes of the frame that leaves: both hardware addresses.</summary>
    public ulong LinkStart;

    /// <inheritdoc cref="LinkStart"/>
    public uint LinkEnd;

    /// <summary>The hardware address that frames must come for: four bytes, then two.</summary>
    public uint StationStart, StationEnd;

    /// <summary>What is added to the header's checksum and the transport's, in the order of memory.</summary>
    public uint HeaderDelta, TransportDelta;

    /// <summary>Ports it leaves with, as on the wire.</summary>
    public uint Ports;

    /// <summary>Source it leaves with, as in <see cref="XdpFlowKey"/>.</summary>
    public ulong Source0, Source1;

    /// <summary>Destination it leaves with.</summary>
    public ulong Destination0, Destination1;
}
