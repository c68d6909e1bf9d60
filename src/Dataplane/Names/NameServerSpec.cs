using System.Net;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>A name server on the packet path: it answers DNS queries over UDP and TCP at port 53 of its addresses. Immutable.</summary>
/// <remarks>Several servers with addresses of their own are several views: what one network can ask for is not there for another.</remarks>
public sealed record NameServerSpec
{
    /// <summary>Name; unique. For counters and errors.</summary>
    public required string Name { get; init; }

    /// <summary>Addresses it answers at: the engine's own on an interface, or others, which then are the engine's like the address of a service.</summary>
    public IReadOnlyList<IpAddress> Addresses { get; init; } = [];

    /// <summary>The zones it answers for. A name belongs to the zone that has most labels in common with it.</summary>
    public IReadOnlyList<ZoneSpec> Zones { get; init; } = [];

    /// <summary>Servers that are asked for other names, in this order, over the kernel's network. None: queries for other names are refused.</summary>
    public IReadOnlyList<IPEndPoint> Upstreams { get; init; } = [];

    /// <summary>IPv6 addresses made of IPv4 ones, in the zones and in what upstream says; null: none.</summary>
    public Dns64Spec? Dns64 { get; init; }

    /// <summary>Queries answered per second and source (IPv6: per /64), 0 to 1,000,000 with as many saved up as come in a tenth of a second; 0: no limit. Each worker counts for itself.</summary>
    public int QueriesPerSecond { get; init; }
}
