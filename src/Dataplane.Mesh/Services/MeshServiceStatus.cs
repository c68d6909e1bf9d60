using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>What came of one service.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Namespace">Its name space.</param>
/// <param name="Kind">How it can be reached.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="DnsName">Its name under the mesh's domain.</param>
/// <param name="Addresses">Addresses of its own.</param>
/// <param name="LoadBalancerAddresses">Addresses for the outside.</param>
/// <param name="Ports">Ports as <c>name 80/tcp</c>.</param>
/// <param name="Ready">Endpoints that take new flows.</param>
/// <param name="Endpoints">All its endpoints.</param>
/// <param name="Problem">Why part of it is not there; empty when all of it is.</param>
public sealed record MeshServiceStatus(string Name, string Namespace, MeshServiceKind Kind, string Source, string DnsName, IReadOnlyList<IpAddress> Addresses,
    IReadOnlyList<IpAddress> LoadBalancerAddresses, IReadOnlyList<string> Ports, int Ready, IReadOnlyList<MeshEndpointSpec> Endpoints, string Problem);
