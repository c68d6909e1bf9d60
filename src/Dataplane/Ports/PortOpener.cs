using Dataplane.Native;
using Dataplane.Overlays;

namespace Dataplane.Ports;

/// <summary>Opens the ports of one worker that specifications describe; what they share, it keeps.</summary>
/// <param name="flows">The flows of the fast path, made when the first port asks for it.</param>
internal sealed class PortOpener(Func<XdpFlowMap>? flows = null)
{
    /// <summary>What the AF_XDP ports of the worker share.</summary>
    public AfXdpMemories Memories { get; } = new();

    /// <summary>Says which ports will be opened next, so that those that share something make it large enough.</summary>
    public void Expect(IEnumerable<PortSpec> specs) => Memories.Expect(specs.Count(spec => spec is { Kind: PortKind.AfXdp, Factory: null }));

    /// <summary>Opens; throws what the kind's own factory throws.</summary>
    /// <exception cref="NotSupportedException">The kind is known, but this version cannot open it.</exception>
    /// <exception cref="LinuxException">Too few descriptors would be left for the process itself.</exception>
    public IPort Open(PortSpec spec)
    {
        DemandDescriptors(spec);
        return Factory(spec).Open(spec.Name);
    }

    /// <summary>Opens a port whose queues belong to several workers, or several queues to one.</summary>
    /// <param name="spec">The port; its kind has queues.</param>
    /// <param name="workers">By queue: the worker that runs it.</param>
    /// <param name="memoriesOf">By worker: what its AF_XDP ports share.</param>
    /// <exception cref="NotSupportedException">The factory of the user's own opens ports of one queue.</exception>
    /// <exception cref="LinuxException">Too few descriptors would be left for the process itself.</exception>
    public IQueuedPort Open(PortSpec spec, IReadOnlyList<int> workers, Func<int, AfXdpMemories> memoriesOf)
    {
        DemandDescriptors(spec);
        return Factory(spec) is IQueueFactory factory
            ? factory.OpenQueues(spec.Name, workers, memoriesOf)
            : throw new NotSupportedException($"Port {spec.Name}: its factory opens ports of one queue; {spec.Queues} are asked for.");
    }

    /// <summary>Goes on with the queues of a port that another process has opened. They are paused.</summary>
    /// <param name="spec">The port, of a kind whose queues can be passed.</param>
    /// <param name="passed">By queue: its descriptor, which belongs to the port once this has returned.</param>
    /// <param name="workers">By queue: the worker that runs it.</param>
    public IPort Adopt(PortSpec spec, IReadOnlyList<FileDescriptor> passed, IReadOnlyList<int> workers)
    {
        var factory = (IPassedPortFactory)Factory(spec);
        return passed.Count == 1 ? factory.Adopt(passed[0]) : QueuedPort.Open(workers, queue => factory.Adopt(passed[queue]));
    }

    /// <summary>Ports that are memory of this process and nothing else take no descriptor, and open when there is none left too.</summary>
    private static void DemandDescriptors(PortSpec spec)
    {
        bool takesNone = spec is { Kind: PortKind.Memory, Factory: null or MemoryPort } or { Kind: PortKind.Vxlan, Factory: null };
        if (!takesNone)
        {
            DescriptorReserve.Demand($"port {spec.Name}");
        }
    }

    private IPortFactory Factory(PortSpec spec) => spec.Factory ?? spec.Kind switch
    {
        PortKind.Memory => new MemoryPort(),
        PortKind.AfPacket => new AfPacketPortFactory(spec.Interface)
        {
            Mac = spec.Mac,
            Mtu = spec.Mtu,
            Offload = spec.Offload == PortOffload.Auto,
            ReceiveOptions = new AfPacketReceiveOptions { Ring = spec.Ring },
        },
        PortKind.AfXdp => new AfXdpPortFactory(spec.Interface)
        {
            Mac = spec.Mac,
            Mtu = spec.Mtu,
            Take = spec.Take,
            Leave = spec.Leave,
            Memories = Memories,
            Flows = spec.Offload == PortOffload.Xdp ? flows?.Invoke() : null,
        },
        PortKind.Tap => new TapPortFactory(spec.Interface)
        {
            Mac = spec.Mac,
            Descriptor = spec.Descriptor,
            Options = new TapOptions
            {
                MtuBytes = spec.Mtu ?? 0,
                Offload = spec.Offload == PortOffload.Auto,
                NetworkNamespace = string.IsNullOrEmpty(spec.NetworkNamespace) ? null : spec.NetworkNamespace,
            },
        },
        PortKind.Memif => new MemifPortFactory(spec.Socket, spec.Id, spec.Role) { Mac = spec.Mac, Mtu = spec.Mtu },
        PortKind.Stream => new StreamPortFactory(StreamSockets.AddressOf(spec), spec.Role) { Mac = spec.Mac, Mtu = spec.Mtu, Tls = spec.Tls },
        PortKind.Vxlan => new OverlayPortFactory { Mac = spec.Mac, Mtu = spec.Mtu ?? 1500 },
        PortKind.Pcap => new PcapPortFactory(spec.Input, spec.Output) { Mac = spec.Mac, Mtu = spec.Mtu ?? 1500, OutputTimeOffsetNs = PcapPortFactory.SystemTimeOffsetNs },
        _ => throw new NotSupportedException(
            $"Port {spec.Name}: kind {spec.Kind} cannot be opened by this version; use af_packet, af_xdp, tap, memif, stream, vxlan, pcap or memory."),
    };
}
