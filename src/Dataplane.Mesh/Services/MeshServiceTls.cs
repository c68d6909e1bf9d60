namespace Dataplane.Mesh.Services;

/// <summary>How connections of a service are protected between the client's and the endpoint's host.</summary>
public enum MeshServiceTls
{
    /// <summary>Not at all: the engine sends them to the endpoints.</summary>
    None,

    /// <summary>By mutual TLS 1.3 between the relays of the mesh.</summary>
    Mutual,
}
