using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>Opens the port that a specification describes.</summary>
internal static class PortOpener
{
    /// <summary>Opens; throws what the kind's own factory throws.</summary>
    /// <exception cref="NotSupportedException">The kind is known, but this version cannot open it.</exception>
    public static IPort Open(PortSpec spec) => Factory(spec).Open(spec.Name);

    private static IPortFactory Factory(PortSpec spec) => spec.Factory ?? spec.Kind switch
    {
        PortKind.Memory => new MemoryPort(),
        PortKind.AfPacket => new AfPacketPortFactory(spec.Interface) { Mac = spec.Mac, Mtu = spec.Mtu },
        PortKind.Tap => new TapPortFactory(spec.Interface) { Mac = spec.Mac, Options = new TapOptions { MtuBytes = spec.Mtu ?? 0 } },
        PortKind.Pcap => new PcapPortFactory(spec.Input, spec.Output) { Mac = spec.Mac, Mtu = spec.Mtu ?? 1500, OutputTimeOffsetNs = PcapPortFactory.SystemTimeOffsetNs },
        _ => throw new NotSupportedException(
            $"Port {spec.Name}: kind {spec.Kind} cannot be opened by this version; use af_packet, tap, pcap or memory."),
    };
}
