using Dataplane.Balancing;
using Dataplane.Mesh.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>What came of one service of a mesh. Immutable; as long as nothing that it is made of changes it is the same object.</summary>
/// <param name="Key">Name space and name.</param>
/// <param name="Wanted">The service as it was asked for.</param>
/// <param name="Source">Who asked for it.</param>
/// <param name="Addresses">Addresses of its own.</param>
/// <param name="Outside">Addresses for the outside.</param>
internal sealed record MeshPart(string Key, MeshServiceSpec Wanted, string Source, IReadOnlyList<IpAddress> Addresses, IReadOnlyList<IpAddress> Outside)
{
    /// <summary>What the engine balances.</summary>
    public IReadOnlyList<ServiceSpec> Services { get; init; } = [];

    /// <summary>What relays carry.</summary>
    public IReadOnlyList<CarriedPort> Carried { get; init; } = [];

    /// <summary>Its records.</summary>
    public required MeshNames Names { get; init; }

    /// <summary>How it fares.</summary>
    public required MeshServiceStatus Status { get; init; }

    /// <summary>Whether something of it is left out for the sake of another service, so that it must be worked out again when any service changes.</summary>
    public bool IsHindered { get; init; }
}
