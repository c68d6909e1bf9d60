using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>What a compose file says, as far as it is understood.</summary>
internal sealed record ComposeProject(string Name)
{
    public IReadOnlyList<ComposeNetwork> Networks { get; init; } = [];

    /// <summary>In the order in which they start: whoever is depended on comes first.</summary>
    public IReadOnlyList<ComposeService> Services { get; init; } = [];
}

/// <summary>A network of a compose file.</summary>
/// <param name="Key">Its key in the file.</param>
/// <param name="Record">The network as it is made; its name is <c>PROJECT_KEY</c> unless the file says another.</param>
/// <param name="IsExternal">Whether it must be there already, and stays.</param>
internal sealed record ComposeNetwork(string Key, NetworkRecord Record, bool IsExternal);

/// <summary>A service of a compose file.</summary>
internal sealed record ComposeService(string Name)
{
    public string Image { get; init; } = "";

    /// <summary>What is run; empty: what the image says.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>How many words at the beginning of <see cref="Command"/> are the entry point, which takes the place of the image's.</summary>
    public int EntryPointWords { get; init; }

    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    public string WorkingDirectory { get; init; } = "";

    public string HostName { get; init; } = "";

    public int Replicas { get; init; } = 1;

    /// <summary>Whether it has no network at all.</summary>
    public bool IsAlone { get; init; }

    public IReadOnlyList<ComposeAttachment> Attachments { get; init; } = [];

    public IReadOnlyList<PublishedPort> Ports { get; init; } = [];

    public IReadOnlyList<string> DependsOn { get; init; } = [];
}

/// <summary>How a service is on a network.</summary>
/// <param name="Network">Key of the network.</param>
internal sealed record ComposeAttachment(string Network)
{
    public IReadOnlyList<string> Aliases { get; init; } = [];

    public IReadOnlyList<string> Addresses { get; init; } = [];

    public string? Mac { get; init; }

    /// <summary>The network of highest priority is the first interface.</summary>
    public int Priority { get; init; }
}
