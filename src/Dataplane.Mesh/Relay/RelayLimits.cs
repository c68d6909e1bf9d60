namespace Dataplane.Mesh.Relay;

/// <summary>How much a relay takes, and how long it waits.</summary>
public sealed record RelayLimits
{
    /// <summary>Connections at once, 1 to 1,000,000. More are reset at once.</summary>
    public int Connections { get; init; } = 65_536;

    /// <summary>Connections at once from one source: an IPv4 address, or the /64 of an IPv6 one. 0: as many as there may be.</summary>
    public int ConnectionsPerSource { get; init; }

    /// <summary>Time for all that stands before the first byte of an application: the PROXY header, the greeting, the handshake.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time for connecting to one destination.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a connection may carry nothing. Zero: for ever, as long as TCP's keep-alives are answered.</summary>
    public TimeSpan IdleTimeout { get; init; }

    /// <summary>How long connections may go on when the relay is stopped.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Connections in a row that an endpoint must refuse to be left out for a while; 0: it never is.</summary>
    public int EjectAfter { get; init; } = 5;

    /// <summary>How long it is left out the first time; every further time in a row doubles it, up to ten times as long.</summary>
    public TimeSpan EjectFor { get; init; } = TimeSpan.FromSeconds(10);
}
