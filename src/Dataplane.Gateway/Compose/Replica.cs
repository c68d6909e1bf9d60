using System.Text.Json.Serialization;

namespace Dataplane.Gateway.Compose;

// Properties that files of an earlier version do not have can be set: the generated reader gives an init property that is left out the default of its type, and not the one here.

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

    /// <summary>What it was made of, by the keys of the file, once it is made; empty: it is not finished.</summary>
    public IReadOnlyDictionary<string, string> Definition { get; set; } = new Dictionary<string, string>();
}

/// <summary>An interface of a replica.</summary>
internal sealed record ReplicaAttachment(string Network, string Interface, IReadOnlyList<string> Addresses, IReadOnlyList<string> Names)
{
    /// <summary>Attached by memif: the socket, on the host.</summary>
    public string Socket { get; init; } = "";

    /// <summary>Its hardware address.</summary>
    public string Mac { get; set; } = "";

    /// <summary>Whether its default route and its published ports are here.</summary>
    public bool IsDefault { get; set; }

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

    /// <summary>What the file said of them.</summary>
    public IReadOnlyDictionary<string, string> NetworkDefinitions { get; set; } = new Dictionary<string, string>();

    public IReadOnlyList<Replica> Replicas { get; init; } = [];

    /// <summary>What stands for images, as <c>IMAGE=DIR</c>: known to the next <c>up</c> too.</summary>
    public IReadOnlyList<string> Images { get; set; } = [];

    /// <summary>What images run, as <c>IMAGE=COMMAND</c>.</summary>
    public IReadOnlyList<string> ImageCommands { get; set; } = [];

    /// <summary>The network service, when it was started for this project; 0: it was there before.</summary>
    public int ServicePid { get; init; }
}

/// <summary>How projects are written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(RunningProject))]
internal sealed partial class ComposeJson : JsonSerializerContext;
