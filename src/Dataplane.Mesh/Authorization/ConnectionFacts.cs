using System.Net;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Authorization;

/// <summary>What policies look at.</summary>
/// <param name="Listener">Name of the listener.</param>
/// <param name="Method">How the client is connected.</param>
/// <param name="Client">Where the client is; its original address where that is known.</param>
/// <param name="Identity">Who the client is; null when it has shown nothing.</param>
/// <param name="ServerName">The name it asked for; may be empty.</param>
/// <param name="Destination">What the connection was meant for.</param>
internal sealed record ConnectionFacts(
    string Listener, ConnectionMethod Method, IPEndPoint Client, SpiffeId? Identity, string ServerName, IPEndPoint Destination);
