namespace Dataplane.Mesh.Tls;

/// <summary>What the first bytes of a connection are.</summary>
internal enum ClientHelloVerdict
{
    /// <summary>A greeting, all of it.</summary>
    Whole,

    /// <summary>What there is may become one: more bytes are needed.</summary>
    Incomplete,

    /// <summary>Something other than TLS.</summary>
    NotTls,

    /// <summary>A greeting larger than is read.</summary>
    TooLong,

    /// <summary>TLS, but no greeting that RFC 8446 allows.</summary>
    Malformed,
}
