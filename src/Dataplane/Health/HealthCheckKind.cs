namespace Dataplane.Health;

/// <summary>How a backend is asked whether it is well.</summary>
public enum HealthCheckKind
{
    /// <summary>Not at all: only what the engine sees of its connections counts (<see cref="HealthSpec.Passive"/>).</summary>
    None = 0,

    /// <summary>A TCP connection is opened and closed.</summary>
    Tcp,

    /// <summary>An HTTP/1.1 GET must be answered with an expected status.</summary>
    Http,

    /// <summary>As <see cref="Http"/>, over TLS. The certificate is not judged: the check asks whether somebody answers, not who.</summary>
    Https,

    /// <summary>A datagram must be answered by a datagram, whatever is in it.</summary>
    Udp,
}
