using System.Globalization;
using Dataplane.Mesh.Identity;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>A port of a service that relays carry.</summary>
/// <param name="Service">The service.</param>
/// <param name="Port">The port of it.</param>
/// <param name="Name">Name for listeners and records, 32 characters at most.</param>
/// <param name="RelayPort">Where the relay of the clients listens for it.</param>
/// <param name="ServerName">What the relays call it to each other (SNI).</param>
/// <param name="Peer">Who the relay of an endpoint must be.</param>
/// <param name="Endpoints">Who serves it.</param>
internal sealed record CarriedPort(MeshServiceSpec Service, MeshPortSpec Port, string Name, ushort RelayPort, string ServerName, SpiffePattern Peer, IReadOnlyList<CarriedEndpoint> Endpoints)
{
    /// <summary>The same port with those of some endpoints that serve it.</summary>
    public CarriedPort With(IReadOnlyList<MeshEndpointSpec> usable) => this with
    {
        Endpoints = [.. usable.Select(endpoint => new CarriedEndpoint(endpoint.Address, EndpointSelection.PortOf(Service, Port, endpoint), endpoint.Weight))
            .Where(endpoint => endpoint is { Port: > 0, Weight: > 0 }).Distinct()],
    };

    /// <summary>Gives each port of each service its port at the relay: by the same rule as addresses, so that who knows the mesh knows the ports.</summary>
    public static IReadOnlyDictionary<string, ushort> Allocate(MeshRelaySpec relay, IEnumerable<MeshServiceSpec> services)
    {
        // As many numbers as ports; which family they are of does not matter.
        var numbers = new IpPrefix(IpAddress.FromV6(0, 0), 128 - int.Log2(MeshRelaySpec.PortCount));
        IEnumerable<string> keys = services.SelectMany(service => service.Ports.Select(port => KeyOf(service, port)));
        return VirtualAddresses.Allocate(numbers, new HashSet<IpAddress>(), keys).ToDictionary(pair => pair.Key, pair => (ushort)(relay.FirstPort + (int)pair.Value.Low), StringComparer.Ordinal);
    }

    public static string KeyOf(MeshServiceSpec service, MeshPortSpec port) => string.Create(CultureInfo.InvariantCulture, $"{service.Key}/{port.Port}");

    public static string ServerNameOf(MeshSpec mesh, MeshServiceSpec service, MeshPortSpec port) =>
        string.Create(CultureInfo.InvariantCulture, $"tcp-{port.Port}.{service.Name}.{service.Namespace}.{mesh.Domain}");

    /// <summary>Who a relay that stands before a service must be; empty when nobody has said.</summary>
    public static string IdentityOf(MeshSpec mesh, MeshServiceSpec service) =>
        service.Identity.Length > 0 || mesh.Relay is not { TrustDomain.Length: > 0 } relay
            ? service.Identity : $"spiffe://{relay.TrustDomain}/ns/{service.Namespace}/sa/{service.Name}";
}

/// <summary>Who serves a port that is carried, and where the application listens.</summary>
internal sealed record CarriedEndpoint(IpAddress Address, ushort Port, int Weight);
