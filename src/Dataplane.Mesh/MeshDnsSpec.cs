using System.Net;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh;

/// <summary>The mesh's name server. Immutable.</summary>
public sealed record MeshDnsSpec
{
    /// <summary>Addresses at which it answers, UDP and TCP port 53.</summary>
    public IReadOnlyList<IpAddress> Listen { get; init; } = [];

    /// <summary>Who is asked for other names; none: they are refused.</summary>
    public IReadOnlyList<IPEndPoint> Upstreams { get; init; } = [];

    /// <summary>How long others may keep an answer, in seconds.</summary>
    public int TtlSeconds { get; init; } = 30;

    /// <summary>How long others may keep a denial, in seconds.</summary>
    public int NegativeTtlSeconds { get; init; } = 5;

    /// <summary>IPv6 addresses made of IPv4 ones (DNS64); null: none.</summary>
    public Dns64Spec? Dns64 { get; init; }

    /// <summary>Queries per second and source; 0: no limit.</summary>
    public int QueriesPerSecond { get; init; } = 10_000;
}
