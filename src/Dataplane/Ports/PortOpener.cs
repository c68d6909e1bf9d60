using Dataplane.Native;
using Dataplane.Overlays;

namespace Dataplane.Ports;

/// <summary>Opens the ports of one worker that specifications describe; what they share, it keeps.</summary>
internal sealed class PortOpener
{
    private readonly AfXdpMemories _memories = new();

    /// <summary>Says which ports will be opened next, so that those that share something make it large enough.</summary>
    public void Expect(IEnumerable<PortSpec> specs) => _memories.Expect(specs.Count(spec => spec is { Kind: PortKind.AfXdp, Factory: null }));

    /// <summary>Opens; throws what the kind's own factory throws.</summary>
    /// <exception cref="NotSupportedException">The kind is known, but this version cannot open it.</exception>
    public IPort Open(PortSpec spec) => Factory(spec).Open(spec.Name);

    private IPortFactory Factory(PortSpec spec) => spec.Factory ?? spec.Kind switch
    {
        PortKind.Memory => new MemoryPort(),
        PortKind.AfPacket => new AfPacketPortFactory(spec.Interface) { Mac = spec.Mac, Mtu = spec.Mtu, Offload = spec.Offload == PortOffload.Auto },
        PortKind.AfXdp => new AfXdpPortFactory(spec.Interface)
        {
            Mac = spec.Mac,
            Mtu = spec.Mtu,
            Take = spec.Take,
            Leave = spec.Leave,
            Memories = _memories,
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
