using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>What a project is to be, as far as two of them can differ: what <c>up</c> compares with what is there.</summary>
/// <param name="Name">Its name.</param>
internal sealed record ProjectShape(string Name)
{
    public IReadOnlyList<NetworkShape> Networks { get; init; } = [];

    /// <summary>In the order in which they start.</summary>
    public IReadOnlyList<ReplicaShape> Replicas { get; init; } = [];

    /// <summary>Services of the file, those without replicas among them.</summary>
    public IReadOnlyList<string> Services { get; init; } = [];
}

/// <summary>A network that the project makes.</summary>
/// <param name="Name">What it is called at the network service.</param>
/// <param name="Definition">All that the file says of it, in one text.</param>
internal sealed record NetworkShape(string Name, string Definition);

/// <summary>A replica, and all that it is made of.</summary>
/// <param name="Service">Its service.</param>
/// <param name="Name">What it is called.</param>
internal sealed record ReplicaShape(string Service, string Name)
{
    /// <summary>What would have to be made anew if it were another, by the keys of the file.</summary>
    public IReadOnlyDictionary<string, string> Definition { get; init; } = new Dictionary<string, string>();

    /// <summary>Its networks, by the names they have at the network service, those that are external among them.</summary>
    public IReadOnlyList<string> Networks { get; init; } = [];

    /// <summary>Addresses and hardware addresses that the file gives it.</summary>
    public IReadOnlyList<AddressClaim> Claims { get; init; } = [];

    /// <summary>Ports that are published; none where it has no network that leads in.</summary>
    public IReadOnlyList<PublishedPort> Ports { get; init; } = [];
}

/// <summary>An address, or a hardware address, that one replica of a network can have.</summary>
/// <param name="Network">The network, by the name it has at the network service.</param>
/// <param name="Address">As its own type writes it.</param>
internal readonly record struct AddressClaim(string Network, string Address);
