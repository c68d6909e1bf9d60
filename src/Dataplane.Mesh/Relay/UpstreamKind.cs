namespace Dataplane.Mesh.Relay;

/// <summary>How a relay connects to where a connection goes.</summary>
public enum UpstreamKind
{
    /// <summary>As it is: plain, or the TLS of the client where it is passed through.</summary>
    Plain,

    /// <summary>By TLS 1.3 with certificates on both sides: to another relay of the mesh.</summary>
    Mutual,

    /// <summary>By TLS of which only the destination shows a certificate.</summary>
    Tls,
}
