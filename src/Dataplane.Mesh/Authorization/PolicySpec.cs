using System.Net;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Authorization;

/// <summary>One policy: which connections it is about, and what becomes of them. Of each list one entry must fit, and of an empty list anything does.</summary>
public sealed record PolicySpec
{
    /// <summary>Its name, which every refusal tells.</summary>
    public string Name { get; init; } = "";

    /// <summary>What it does.</summary>
    public PolicyAction Action { get; init; }

    /// <summary>Whether it only reports what it would refuse.</summary>
    public bool DryRun { get; init; }

    /// <summary>The listeners it is for, by name.</summary>
    public IReadOnlyList<string> Listeners { get; init; } = [];

    /// <summary>Identities of the client. A client without one is not meant.</summary>
    public IReadOnlyList<SpiffePattern> Identities { get; init; } = [];

    /// <summary>Namespaces of the client, from identities of the form <c>/ns/NAMESPACE/sa/ACCOUNT</c>. A client without one is not meant.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>Prefixes of the client's address; its original one where a PROXY header from a trusted source tells it.</summary>
    public IReadOnlyList<IPNetwork> Addresses { get; init; } = [];

    /// <summary>How the client is connected.</summary>
    public IReadOnlyList<ConnectionMethod> Methods { get; init; } = [];

    /// <summary>Names that the client asked for (SNI); <c>*.example.org</c> means all names below.</summary>
    public IReadOnlyList<string> ServerNames { get; init; } = [];

    /// <summary>Prefixes of the address that the connection was meant for.</summary>
    public IReadOnlyList<IPNetwork> Destinations { get; init; } = [];

    /// <summary>Ports that the connection was meant for.</summary>
    public IReadOnlyList<int> Ports { get; init; } = [];
}
