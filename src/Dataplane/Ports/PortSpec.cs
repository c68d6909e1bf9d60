using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>One port of the configuration.</summary>
public sealed record PortSpec
{
    /// <summary>Name by which everything else refers to the port: 1 to 32 letters, digits, <c>-</c>, <c>_</c> or <c>.</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What the port is made of.</summary>
    public PortKind Kind { get; init; } = PortKind.Memory;

    /// <summary>Network interface (af_packet, af_xdp) or TAP device name; 1 to 15 characters. Empty for other kinds.</summary>
    public string Interface { get; init; } = "";

    /// <summary>Capture file that is read (pcap). Empty: nothing is received.</summary>
    public string Input { get; init; } = "";

    /// <summary>Capture file that is written (pcap). Empty: what is sent is counted only.</summary>
    public string Output { get; init; } = "";

    /// <summary>Path of the socket (memif, stream).</summary>
    public string Socket { get; init; } = "";

    /// <summary>
    /// Address and port to listen at or connect to, such as <c>198.51.100.1:7000</c> or <c>[2001:db8::1]:7000</c> (stream). Empty: <see cref="Socket"/> says where.
    /// </summary>
    public string Endpoint { get; init; } = "";

    /// <summary>Certificates (stream); null: frames travel in the clear.</summary>
    public StreamTls? Tls { get; init; }

    /// <summary>Number of the connection on the socket, which several ports may share (memif); 0 to 4294967295.</summary>
    public uint Id { get; init; }

    /// <summary>Which end of the socket the port is (memif, stream).</summary>
    public PortRole Role { get; init; }

    /// <summary>Hardware address the engine sends from; null: the interface's own, or one derived from the port's name.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes, 576 to 9000; null: the interface's own, or 1500.</summary>
    public int? Mtu { get; init; }

    /// <summary>What the port takes from the kernel (af_xdp), 64 rules with <see cref="Leave"/> at most; empty: everything.</summary>
    public TrafficRules Take { get; init; } = [];

    /// <summary>What the port leaves to the kernel of that (af_xdp).</summary>
    public TrafficRules Leave { get; init; } = [];

    /// <summary>Network namespace of the device (tap): a name as in <c>ip netns list</c>, or a path such as <c>/proc/PID/ns/net</c>; empty: the current one.</summary>
    public string NetworkNamespace { get; init; } = "";

    /// <summary>Descriptor of a device that the parent process left open (tap), in place of <see cref="Interface"/>; 3 to 1,048,576. Closed with the port.</summary>
    public int? Descriptor { get; init; }

    /// <summary>Whether TCP and UDP data may pass in super-frames with unfinished checksums (af_packet, tap).</summary>
    public PortOffload Offload { get; init; }

    /// <summary>How the kernel hands received frames over (af_packet).</summary>
    public AfPacketRing Ring { get; init; }

    /// <summary>Worker that runs the port, or its first queue, from 0; null: the one with the fewest ports.</summary>
    public int? Worker { get; init; }

    /// <summary>
    /// Queues in each direction (af_packet, af_xdp, tap, memif), 1 to 16. They are spread over the workers, beginning with <see cref="Worker"/>; a flow keeps to one.
    /// </summary>
    public int Queues { get; init; } = 1;

    /// <summary>Opens the port in place of the built-in kinds; not part of files.</summary>
    public IPortFactory? Factory { get; init; }
}
