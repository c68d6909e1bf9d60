using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>One backend of a service.</summary>
public sealed record BackendSpec
{
    /// <summary>The backend's address.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>The backend's port, 1 to 65535; 0, behind a service with several ports: the port that the packet was sent to.</summary>
    public required ushort Port { get; init; }

    /// <summary>Share of new flows, 0 to 65535; 0: no new flows, established ones stay.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>The group it is in, by which <see cref="SteerSpec"/> names it; empty: none.</summary>
    public string Group { get; init; } = "";

    /// <summary>Which server it is by the connection IDs that it makes (<see cref="ServiceSpec.Quic"/>): hexadecimal digits, two for each byte, or for Katran a number from
    /// 1 to 4294967295; several divided by commas. Empty: its connection IDs lead nowhere.</summary>
    public string ServerIds { get; init; } = "";

    /// <summary>True: no new flows, established ones stay; as weight 0, but said as what it is, and with a deadline if wanted.</summary>
    public bool Drain { get; init; }

    /// <summary>How long established flows may go on after the drain began, 1 second to 7 days; then they end as if the backend had been removed. Null: for ever.</summary>
    public TimeSpan? DrainDeadline { get; init; }
}
