using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>One direction of a flow: what its packets look like when they come, and how they leave.</summary>
/// <param name="Protocol">IP protocol number: 6 TCP, 17 UDP, 1 or 58 ICMP echo, whose identifier stands for both ports.</param>
/// <param name="Source">Where they come from.</param>
/// <param name="SourcePort">And from which port.</param>
/// <param name="Destination">Where they are sent.</param>
/// <param name="DestinationPort">And to which port.</param>
/// <param name="NewSource">Where they then seem to come from.</param>
/// <param name="NewSourcePort">And from which port.</param>
/// <param name="NewDestination">Where they go.</param>
/// <param name="NewDestinationPort">And to which port.</param>
/// <param name="IsForward">Whether this is the direction of the flow's first packet.</param>
/// <param name="State"><c>tcp_transitory</c>, <c>tcp_established</c>, <c>tcp_closing</c>, <c>udp</c>, <c>icmp_query</c> or <c>other</c>.</param>
/// <param name="Idle">Since the last packet of this direction, to 17 ms.</param>
public sealed record FlowStatus(byte Protocol, IpAddress Source, int SourcePort, IpAddress Destination, int DestinationPort, IpAddress NewSource,
    int NewSourcePort, IpAddress NewDestination, int NewDestinationPort, bool IsForward, string State, TimeSpan Idle)
{
    internal static FlowStatus Of(in FlowEntry entry, long nowNs) => new(entry.Key.Protocol, entry.Key.Source, entry.Key.SourcePort,
        entry.Key.Destination, entry.Key.DestinationPort, entry.NewSource, (int)(entry.NewPorts >> 16), entry.NewDestination, (ushort)entry.NewPorts,
        entry.IsForward, NameOf(entry.State), FlowTable.IdleTime(entry.LastSeen, nowNs));

    private static string NameOf(byte protocol) => protocol switch { IpProtocols.Tcp => "tcp", IpProtocols.Udp => "udp", IpProtocols.Icmp or IpProtocols.Icmpv6 => "icmp", _ => $"proto-{protocol}" };

    private static string NameOf(FlowState state) => state switch
    {
        FlowState.TcpTransitory => "tcp_transitory",
        FlowState.TcpEstablished => "tcp_established",
        FlowState.TcpClosing => "tcp_closing",
        FlowState.IcmpQuery => "icmp_query",
        FlowState.Other => "other",
        _ => "udp",
    };

    /// <inheritdoc/>
    public override string ToString() =>
        $"{NameOf(Protocol)} {At(Source, SourcePort)} > {At(Destination, DestinationPort)} as "
        + $"{At(NewSource, NewSourcePort)} > {At(NewDestination, NewDestinationPort)} {State}, idle {Idle.TotalSeconds:F1} s";

    private static string At(IpAddress address, int port) => address.IsIpv6 ? $"[{address}]:{port}" : $"{address}:{port}";
}
