using System.Text.Json.Serialization;

namespace Dataplane.Gateway.Compose;

/// <summary>One running replica of a service, as its project keeps it.</summary>
/// <param name="Service">Its service.</param>
/// <param name="Name">What it is called: <c>PROJECT-SERVICE-N</c>; also the name of its network namespace.</param>
internal sealed record Replica(string Service, string Name)
{
    /// <summary>Process that holds it; 0: none was started here.</summary>
    public int ProcessId { get; init; }

    /// <summary>When the process started, in the kernel's ticks, so that another process of the same number is told apart.</summary>
    public long StartTicks { get; init; }

    /// <summary>Whether podman runs it.</summary>
    public bool ByPodman { get; init; }

    /// <summary>Networks it is attached to, with the interface on each.</summary>
    public IReadOnlyList<ReplicaAttachment> Attachments { get; init; } = [];

    public IReadOnlyList<string> Ports { get; init; } = [];
}

/// <summary>An interface of a replica.</summary>
internal sealed record ReplicaAttachment(string Network, string Interface, IReadOnlyList<string> Addresses, IReadOnlyList<string> Names)
{
    /// <summary>Attached by memif: the socket, on the host.</summary>
    public string Socket { get; init; } = "";

    /// <summary>Where the directory of the socket is mounted in the replica.</summary>
    [JsonIgnore]
    public string MountPoint => $"/run/memif/{Interface}";

    /// <summary>The environment variable that says where the socket is.</summary>
    [JsonIgnore]
    public string Variable => $"MEMIF_{Interface.ToUpperInvariant()}";
}

/// <summary>A project that is up.</summary>
internal sealed record RunningProject(string Name, string Socket)
{
    /// <summary>Networks that were made for it.</summary>
    public IReadOnlyList<string> Networks { get; init; } = [];

    public IReadOnlyList<Replica> Replicas { get; init; } = [];

    /// <summary>The network service, when it was started for this project; 0: it was there before.</summary>
    public int ServicePid { get; init; }
}

/// <summary>How projects are written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(RunningProject))]
internal sealed partial class ComposeJson : JsonSerializerContext;
