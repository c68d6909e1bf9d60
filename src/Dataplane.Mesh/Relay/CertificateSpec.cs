namespace Dataplane.Mesh.Relay;

/// <summary>A certificate of the edge: PEM files, read again whenever they change.</summary>
public sealed record CertificateSpec
{
    /// <summary>File with the certificate, and the intermediate ones behind it.</summary>
    public string Certificate { get; init; } = "";

    /// <summary>File with its private key, not encrypted.</summary>
    public string Key { get; init; } = "";

    /// <summary>Names for which it is shown; none: those that stand in it. <c>*.example.org</c> means one label.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];
}
