using System.Net;

namespace Dataplane.Mesh.Relay;

/// <summary>What happened at a listener up to one moment.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Where it listens.</param>
/// <param name="Accepted">Connections that came in.</param>
/// <param name="Active">Those of them that have not ended.</param>
/// <param name="BytesFromClient">Bytes carried from clients to destinations.</param>
/// <param name="BytesToClient">Bytes carried from destinations to clients.</param>
/// <param name="Handshakes">TLS handshakes that succeeded, on either side.</param>
/// <param name="HandshakeNs">Nanoseconds they took together.</param>
/// <param name="Ends">Why connections ended and on which side, as <c>side.reason</c>; only those that happened. Their sum and <paramref name="Active"/> are <paramref name="Accepted"/>.</param>
/// <param name="Endpoints">The endpoints of its routes.</param>
public sealed record ListenerStatus(
    string Name,
    IPEndPoint Address,
    long Accepted,
    long Active,
    long BytesFromClient,
    long BytesToClient,
    long Handshakes,
    long HandshakeNs,
    IReadOnlyDictionary<string, long> Ends,
    IReadOnlyList<EndpointStatus> Endpoints);
