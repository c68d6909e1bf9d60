using Dataplane.Packets;

namespace Dataplane.Health;

/// <summary>How the health of a service's backends is found out, and what follows from it.</summary>
/// <remarks>
/// Checks are made by sockets of the host, in the network namespace of the process and from the address its routing chooses unless <see cref="Source"/>
/// says another: they do not go through the engine. Backends begin as up.
/// </remarks>
public sealed record HealthSpec
{
    /// <summary>How backends are asked.</summary>
    public HealthCheckKind Check { get; init; } = HealthCheckKind.Tcp;

    /// <summary>Port that is asked, 1 to 65535; 0: the backend's own.</summary>
    public int Port { get; init; }

    /// <summary>Address of the host that checks are sent from; null: what the host's routing chooses.</summary>
    public IpAddress? Source { get; init; }

    /// <summary>Path of HTTP checks, query included.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Host header of HTTP checks, and server name of TLS; empty: the backend's address.</summary>
    public string Host { get; init; } = "";

    /// <summary>Lowest HTTP status that counts as well, 100 to 599.</summary>
    public int StatusFrom { get; init; } = 200;

    /// <summary>Highest HTTP status that counts as well, 100 to 599.</summary>
    public int StatusTo { get; init; } = 399;

    /// <summary>What UDP checks send, as UTF-8; 1 to 512 bytes.</summary>
    public string Send { get; init; } = "";

    /// <summary>From the beginning of a check to that of the next, 10 ms to 1 hour.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a check may take, 10 ms to 1 minute.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Checks passed one after the other that bring a backend up, 1 to 100.</summary>
    public int Rise { get; init; } = 2;

    /// <summary>Checks failed one after the other that take it down, 1 to 100.</summary>
    public int Fall { get; init; } = 3;

    /// <summary>How long the share of a backend that has come up grows to its whole weight, up to 1 hour; zero: it has it at once. Policies that look at no weight pass it over.</summary>
    public TimeSpan SlowStart { get; init; }

    /// <summary>When less than this percentage of the backends are up, 1 to 100, health is disregarded and all get new flows; 0: never.</summary>
    public int PanicPercent { get; init; }

    /// <summary>Connections refused or SYNs unanswered within an interval, with no connection completed, that take a backend down; 1 to 1,000,000. 0: the engine's own view does not count. TCP only.</summary>
    public int Passive { get; init; }

    /// <summary>How long a backend stays down that was taken down by <see cref="Passive"/>; 1 second to 1 day. Then checks decide, or without checks it is up.</summary>
    public TimeSpan Hold { get; init; } = TimeSpan.FromSeconds(30);
}
