namespace Dataplane.Names;

/// <summary>What becomes of a query.</summary>
internal enum NameResponseKind : byte
{
    /// <summary>Nothing: it is none.</summary>
    None,

    /// <summary>A response has been written.</summary>
    Response,

    /// <summary>Others must be asked.</summary>
    Forward,
}

/// <summary>A response, or why there is none.</summary>
internal struct NameResponse
{
    public NameResponseKind Kind;
    public bool IsTruncated;
    public int Bytes;
    public int Rcode;
    public int Records;
}
