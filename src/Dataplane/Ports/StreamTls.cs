namespace Dataplane.Ports;

/// <summary>Certificates of a stream port: TLS 1.3 with a certificate on both sides. The files are PEM and are read again for every connection.</summary>
public sealed record StreamTls
{
    /// <summary>File with the port's own certificate, and the intermediate ones behind it.</summary>
    public string Certificate { get; init; } = "";

    /// <summary>File with the private key of <see cref="Certificate"/>, not encrypted.</summary>
    public string Key { get; init; } = "";

    /// <summary>File with the certificates of the authorities that the peer's certificate may come from; the system's own are not asked.</summary>
    public string Ca { get; init; } = "";

    /// <summary>
    /// Name that the peer's certificate must have as subject alternative name: a DNS name, an IP address, or a URI such as <c>spiffe://example.org/gateway</c>.
    /// </summary>
    public string Peer { get; init; } = "";
}
