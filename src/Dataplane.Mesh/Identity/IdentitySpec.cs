namespace Dataplane.Mesh.Identity;

/// <summary>Where a relay's own X.509-SVID and the authorities it believes are found: PEM files, read again whenever they change.</summary>
public sealed record IdentitySpec
{
    /// <summary>File with the certificate, and the intermediate ones behind it.</summary>
    public string Certificate { get; init; } = "";

    /// <summary>File with the private key of <see cref="Certificate"/>, not encrypted.</summary>
    public string Key { get; init; } = "";

    /// <summary>
    /// Files with the authorities of each trust domain. A file may hold several: while authorities change, the old and the new one are believed.
    /// A peer's certificate must come from an authority of the trust domain that stands in its identity, never from another's.
    /// </summary>
    public IReadOnlyDictionary<string, string> Bundles { get; init; } = new Dictionary<string, string>();
}
