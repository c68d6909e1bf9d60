using Dataplane.Packets;

namespace Dataplane.Tunnels;

/// <summary>Packets inside packets: where services that are forwarded so seem to come from, and which addresses of the engine take such packets in.</summary>
public sealed record EncapsulationSpec
{
    /// <summary>The port that GUE packets go to unless told otherwise.</summary>
    public const ushort DefaultGuePort = 6080;

    /// <summary>Source of outer headers, at most one for each family: an address, or a prefix whose other bits differ from flow to flow, so that receivers which
    /// look at addresses only spread the flows over their queues.</summary>
    public IReadOnlyList<IpPrefix> Sources { get; init; } = [];

    /// <summary>UDP port that GUE packets are sent to and taken in at, 1 to 65535.</summary>
    public ushort GuePort { get; init; } = DefaultGuePort;

    /// <summary>Addresses of the engine at which packets inside packets are taken out and forwarded.</summary>
    public IReadOnlyList<DecapsulationSpec> Decapsulate { get; init; } = [];
}
