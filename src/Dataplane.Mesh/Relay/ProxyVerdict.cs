namespace Dataplane.Mesh.Relay;

/// <summary>What the first bytes of a connection are to the PROXY protocol, version 2.</summary>
internal enum ProxyVerdict
{
    Whole,
    Incomplete,
    Invalid,
}
