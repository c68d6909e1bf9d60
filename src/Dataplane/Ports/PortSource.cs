using System.Net;
using System.Net.Sockets;

namespace Dataplane.Ports;

/// <summary>What a port is made of, for the builder.</summary>
public sealed class PortSource
{
    private readonly Func<string, PortSpec> _make;

    private PortSource(Func<string, PortSpec> make) => _make = make;

    /// <summary>AF_PACKET with memory-mapped rings on a network interface. Needs CAP_NET_RAW.</summary>
    public static PortSource AfPacket(string interfaceName) =>
        new(name => new PortSpec { Name = name, Kind = PortKind.AfPacket, Interface = interfaceName });

    /// <summary>An AF_XDP socket on a network interface; the ports of an engine share their memory. Needs CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW.</summary>
    /// <param name="interfaceName">Name of the interface.</param>
    /// <param name="take">What the port takes from the kernel; null: everything.</param>
    /// <param name="leave">What it leaves to the kernel of that; null: nothing.</param>
    public static PortSource AfXdp(string interfaceName, TrafficRules? take = null, TrafficRules? leave = null) =>
        new(name => new PortSpec { Name = name, Kind = PortKind.AfXdp, Interface = interfaceName, Take = take ?? [], Leave = leave ?? [] });

    /// <summary>A TAP device, created if it does not exist. Needs CAP_NET_ADMIN, for another namespace CAP_SYS_ADMIN as well.</summary>
    /// <param name="deviceName">Name of the device.</param>
    /// <param name="networkNamespace">Where the device is: a name as in <c>ip netns list</c>, or a path; null: the current namespace.</param>
    public static PortSource Tap(string deviceName, string? networkNamespace = null) =>
        new(name => new PortSpec { Name = name, Kind = PortKind.Tap, Interface = deviceName, NetworkNamespace = networkNamespace ?? "" });

    /// <summary>A TAP device that the parent process has opened and left open. Needs no privilege.</summary>
    /// <param name="descriptor">Its descriptor, 3 or more, which the engine closes.</param>
    public static PortSource TapDescriptor(int descriptor) =>
        new(name => new PortSpec { Name = name, Kind = PortKind.Tap, Descriptor = descriptor });

    /// <summary>Memory shared with VPP, DPDK or another data plane (memif). Needs no privilege.</summary>
    /// <param name="socketPath">Path of the control socket; <c>@name</c> in the abstract space.</param>
    /// <param name="id">Number of the connection on the socket.</param>
    /// <param name="role">The server listens, the client connects.</param>
    /// <param name="options">Shape of the connection; null: one queue of 1,024 buffers of 2 KB, no secret.</param>
    public static PortSource Memif(string socketPath, uint id = 0, PortRole role = PortRole.Client, MemifOptions? options = null) => new(name => new PortSpec
    {
        Name = name,
        Kind = PortKind.Memif,
        Socket = socketPath,
        Id = id,
        Role = role,
        Factory = options is null ? null : new MemifPortFactory(socketPath, id, role) { Options = options },
    });

    /// <summary>Frames over a Unix or TCP socket, each behind its length, as QEMU and passt speak them. Needs no privilege.</summary>
    /// <param name="address">Where to listen or connect to: a <see cref="UnixDomainSocketEndPoint"/> or an <see cref="IPEndPoint"/>.</param>
    /// <param name="role">The server listens, the client connects.</param>
    /// <param name="tls">Certificates for TLS 1.3 on both sides; null: frames travel in the clear.</param>
    public static PortSource Stream(EndPoint address, PortRole role = PortRole.Client, StreamTls? tls = null) => new(name => new PortSpec
    {
        Name = name,
        Kind = PortKind.Stream,
        Socket = address is UnixDomainSocketEndPoint ? StreamSettings.TextOf(address) : "",
        Endpoint = address is IPEndPoint ? StreamSettings.TextOf(address) : "",
        Role = role,
        Tls = tls,
    });

    /// <summary>The way of a network to its endpoints at other hosts, by VXLAN: see <see cref="Dataplane.Overlays.OverlaySpec"/>. Needs no privilege.</summary>
    public static PortSource Vxlan() => new(name => new PortSpec { Name = name, Kind = PortKind.Vxlan });

    /// <summary>Capture files: pcap or pcapng in, pcap out; either may be empty.</summary>
    public static PortSource Pcap(string inputPath = "", string outputPath = "") =>
        new(name => new PortSpec { Name = name, Kind = PortKind.Pcap, Input = inputPath, Output = outputPath });

    /// <summary>In-memory rings that the same process fills and drains: see <see cref="MemoryPort"/>.</summary>
    public static PortSource Memory(MemoryPort port) =>
        new(name => new PortSpec { Name = name, Kind = PortKind.Memory, Factory = port });

    /// <summary>A port of the user's own making.</summary>
    public static PortSource Custom(IPortFactory factory) =>
        new(name => new PortSpec { Name = name, Kind = PortKind.Memory, Factory = factory });

    /// <summary>The same with several queues in each direction, which are spread over the workers (AF_PACKET, AF_XDP, TAP, memif).</summary>
    /// <param name="queues">How many, 1 to 16.</param>
    public PortSource WithQueues(int queues) => new(name => _make(name) with { Queues = queues });

    /// <summary>The same with or without what is left to the kernel (AF_PACKET, TAP) or to XDP programs (AF_XDP).</summary>
    /// <param name="offload"><see cref="PortOffload.Off"/> where whoever is at the other end takes no frames longer than the MTU, as programs that read them by a socket.</param>
    public PortSource WithOffload(PortOffload offload) => new(name => _make(name) with { Offload = offload });

    internal PortSpec ToSpec(string name) => _make(name);
}
