namespace Dataplane.Mesh.Authorization;

/// <summary>How a client is connected to the relay.</summary>
public enum ConnectionMethod
{
    /// <summary>Without protection, as applications connect to a relay beside them.</summary>
    Plain,

    /// <summary>By TLS of which only the relay has shown a certificate.</summary>
    Tls,

    /// <summary>By TLS with certificates on both sides.</summary>
    Mutual,

    /// <summary>By TLS that the relay passes through as it is.</summary>
    Passthrough,
}
