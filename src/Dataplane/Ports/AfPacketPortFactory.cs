using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Opens AF_PACKET ports: memory-mapped rings on an Ethernet interface (veth, bridge, NIC). Needs CAP_NET_RAW.</summary>
/// <remarks>
/// The interface should be the engine's alone: give it no address, or the kernel answers what the engine answers as well. Limits:
/// <b>no</b> cutting of tunnelled super-frames (switch them off at the sender: <c>ethtool -K IF tx-udp_tnl-segmentation off</c>). The kernel
/// spreads frames over several queues by a hash of addresses and ports that is the same for both directions; fragments by their addresses alone.
/// </remarks>
/// <param name="interfaceName">Name of the interface.</param>
public sealed class AfPacketPortFactory(string interfaceName) : IPortFactory, IQueueFactory, IPassedPortFactory
{
    /// <inheritdoc/>
    public string Kind => "af_packet";

    /// <summary>Shape of the receive ring.</summary>
    public AfPacketReceiveOptions ReceiveOptions { get; init; } = new();

    /// <summary>Shape of the transmit ring.</summary>
    public AfPacketTransmitOptions TransmitOptions { get; init; } = new();

    /// <summary>Hardware address that the port sends from; null: the interface's own.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes; null, or more than the interface's own: the interface's own.</summary>
    public int? Mtu { get; init; }

    /// <summary>Whether TCP and UDP data may pass in super-frames of up to 64 KB, checksums unfinished, as far as the other port of their way takes them too.</summary>
    public bool Offload { get; init; } = true;

    /// <inheritdoc/>
    public IPort Open(string name) => Open((PacketFanout?)null);

    /// <inheritdoc/>
    IQueuedPort IQueueFactory.OpenQueues(string name, IReadOnlyList<int> workers, Func<int, AfXdpMemories> memoriesOf)
    {
        var fanout = new PacketFanout();
        return QueuedPort.Open(workers, _ => Open(fanout));
    }

    /// <inheritdoc/>
    IPort IPassedPortFactory.Adopt(FileDescriptor descriptor) => Open(AfPacketReceiver.Adopt(interfaceName, descriptor, ReceiveOptions with { KeepUnfinished = Offload }));

    private AfPacketPort Open(PacketFanout? fanout) =>
        Open(AfPacketReceiver.Open(interfaceName, ReceiveOptions with { KeepUnfinished = Offload, Fanout = fanout }));

    private AfPacketPort Open(AfPacketReceiver receiver)
    {
        try
        {
            AfPacketTransmitter transmitter = AfPacketTransmitter.Open(interfaceName, TransmitOptions with { SuperFrames = Offload });
            return new AfPacketPort(receiver, transmitter, Mac, Mtu, Offload);
        }
        catch
        {
            receiver.Dispose();
            throw;
        }
    }
}
