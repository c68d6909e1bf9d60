using System.Text.Json.Serialization;

namespace Dataplane.Gateway.Networks;

// Properties have set and not init: the generated reader gives an init property that a message leaves out the default of its type, and not the one here.

/// <summary>One subnet of a network, as files and messages have it.</summary>
internal sealed record SubnetRecord(string Subnet)
{
    /// <summary>The part that is given out when no address is asked for.</summary>
    public string? Range { get; set; }

    public string? Gateway { get; set; }

    public IReadOnlyList<string> Reserved { get; set; } = [];
}

/// <summary>A network. In a request, what is missing is chosen; what is kept has everything.</summary>
internal sealed record NetworkRecord(string Name)
{
    public IReadOnlyList<SubnetRecord> Subnets { get; set; } = [];

    /// <summary>In a request without an IPv6 subnet: whether one is to be chosen.</summary>
    public bool Ipv6 { get; set; }

    public bool Internal { get; set; }

    public bool Isolate { get; set; }

    public int Mtu { get; set; } = 1500;

    /// <summary>Whether the gateway advertises itself over IPv6.</summary>
    public bool RouterAdvertisements { get; set; }

    /// <summary>Whether containers that ask by DHCP are told of their address.</summary>
    public bool Dhcp { get; set; }

    /// <summary>Domains for short names that they are told of in both ways.</summary>
    public IReadOnlyList<string> Search { get; set; } = [];

    /// <summary>How endpoints are attached that do not say it themselves, one of <see cref="AttachKind"/>; empty: by TAP.</summary>
    public string Attach { get; set; } = "";

    /// <summary>Networks that this one reaches and is reached by.</summary>
    public IReadOnlyList<string> Reach { get; set; } = [];

    /// <summary>Its VXLAN identifier, if hosts share it by a registry.</summary>
    public int? Vni { get; set; }

    /// <summary>How its frames go from host to host, if hosts share it: <see cref="Tls"/>, or null for VXLAN.</summary>
    public string? Underlay { get; set; }

    /// <summary>The request it was made by, if hosts share it.</summary>
    public string? Token { get; set; }

    /// <summary>Who made it, such as <c>compose:PROJECT</c>; for those who tidy up.</summary>
    public string Owner { get; set; } = "";

    /// <summary>Frames go by TLS links between the hosts.</summary>
    public const string Tls = "tls";

    /// <summary>Frames go by VXLAN between the hosts: the default.</summary>
    public const string Vxlan = "vxlan";
}

/// <summary>Ports of the host that lead to an endpoint.</summary>
/// <param name="HostPort">First port of the host.</param>
/// <param name="Port">First port of the endpoint.</param>
internal sealed record PublishedPort(int HostPort, int Port)
{
    /// <summary>Address of the host; empty: all.</summary>
    public string HostAddress { get; set; } = "";

    /// <summary><c>tcp</c> or <c>udp</c>.</summary>
    public string Protocol { get; set; } = "tcp";

    /// <summary>How many ports in a row.</summary>
    public int Count { get; set; } = 1;
}

/// <summary>How much an endpoint may send and receive: bits per second, and bytes at once.</summary>
internal sealed record RateRecord(long? In, long? Out, long? InBurst = null, long? OutBurst = null);

/// <summary>An endpoint. In a request, what is missing is chosen; what is kept has everything.</summary>
/// <param name="Container">Who is attached, one word: the runtime's identifier of the container.</param>
/// <param name="Interface">Name of the interface in its namespace.</param>
internal sealed record EndpointRecord(string Container, string Interface)
{
    /// <summary>Path of its network namespace. Attached by memif it may have none: then it stays until it is detached.</summary>
    public string Namespace { get; set; } = "";

    /// <summary>The kernel's word for the namespace, by which another one at the same path is told apart.</summary>
    public string Identity { get; set; } = "";

    /// <summary>What people call it.</summary>
    public string Name { get; set; } = "";

    public IReadOnlyList<string> Aliases { get; set; } = [];

    public string? Mac { get; set; }

    public IReadOnlyList<string> Addresses { get; set; } = [];

    public IReadOnlyList<PublishedPort> Ports { get; set; } = [];

    /// <summary>Whether the host's ports are bound here. Podman binds them itself, and would find them taken.</summary>
    public bool ReservePorts { get; set; } = true;

    public RateRecord? Rate { get; set; }

    /// <summary>How it is attached, one of <see cref="AttachKind"/>. In a request, empty: as the network says.</summary>
    public string Attach { get; set; } = "";

    /// <summary>Attached by memif: path of the socket that the engine listens at. In a request, a name for the directory that the socket is in; empty: one is made up.</summary>
    public string Socket { get; set; } = "";

    /// <summary>Whether its default route leads here; not so for a second interface.</summary>
    public bool DefaultRoute { get; set; } = true;

    [JsonIgnore]
    public string Key => $"{Container}/{Interface}";
}

/// <summary>A network with who is attached to it.</summary>
internal sealed record NetworkView(NetworkRecord Network, IReadOnlyList<EndpointRecord> Endpoints)
{
    /// <summary>Who is attached to it at other hosts.</summary>
    public IReadOnlyList<RemoteRecord> Elsewhere { get; set; } = [];
}

/// <summary>An endpoint at another host, as that host has announced it.</summary>
internal sealed record RemoteRecord(string Container, string Interface, string Host)
{
    public string Name { get; set; } = "";

    public IReadOnlyList<string> Aliases { get; set; } = [];

    public string Mac { get; set; } = "";

    public IReadOnlyList<string> Addresses { get; set; } = [];

    /// <summary>Where the host's tunnels end; empty while that is not known.</summary>
    public string Tunnel { get; set; } = "";

    [JsonIgnore]
    public string Key => $"{Container}/{Interface}";
}

/// <summary>The networks that hosts share: one value of the registry, changed as a whole.</summary>
internal sealed record SharedNetworks
{
    /// <summary>A word that only these hosts have; IPv6 ranges are made from it.</summary>
    public string Site { get; set; } = "";

    public int LastVni { get; set; } = 4095;

    public IReadOnlyList<NetworkRecord> Networks { get; set; } = [];
}

/// <summary>A host that shares networks.</summary>
/// <param name="Tunnel">Where its tunnels end; empty: it has none.</param>
internal sealed record HostRecord(string Tunnel)
{
    /// <summary>Where its TLS links end, with the port; null: it has none.</summary>
    public string? Link { get; set; }
}

/// <summary>Another host, and where its TLS links end.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Address">Address and port.</param>
internal sealed record LinkRecord(string Host, string Address);

/// <summary>How the link to another host is.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Address">Where its links end.</param>
/// <param name="IsUp">Whether frames pass.</param>
/// <param name="Detail">Who the peer is and how it is spoken to; or why frames do not pass.</param>
/// <param name="Events">What has happened how often, such as peers that were refused.</param>
internal sealed record LinkStatus(string Host, string Address, bool IsUp, string Detail, IReadOnlyDictionary<string, long> Events);

/// <summary>What is kept over restarts: one file, replaced whole.</summary>
internal sealed record NetworkState
{
    public int Version { get; set; } = 1;

    /// <summary>A word that only this host has; its IPv6 ranges are made from it.</summary>
    public string Site { get; set; } = "";

    public IReadOnlyList<NetworkView> Networks { get; set; } = [];

    /// <summary>Where the tunnels of other hosts end, as far as it is known.</summary>
    public IReadOnlyList<string> Peers { get; set; } = [];

    /// <summary>Where the TLS links of other hosts end, as far as it is known.</summary>
    public IReadOnlyList<LinkRecord> Links { get; set; } = [];
}

/// <summary>An endpoint that was attached, and all that its interface was set up with.</summary>
internal sealed record AttachReply(EndpointRecord Endpoint, NetworkRecord Network);

/// <summary>Attachments that the runtime knows of: everything else is to go.</summary>
internal sealed record ValidAttachments(IReadOnlyList<string> Keys);

/// <summary>Something was removed.</summary>
internal sealed record Removed(IReadOnlyList<string> Keys);

/// <summary>A refusal.</summary>
/// <param name="Code">One of <see cref="NetworkFault"/>, in words.</param>
/// <param name="Message">What is wrong, and what would help.</param>
internal sealed record ErrorReply(string Code, string Message);

/// <summary>How a running control service is.</summary>
internal sealed record ServiceStatus(bool Ready, string Detail, int Networks, int Endpoints, IReadOnlyList<string> Open, IReadOnlyDictionary<string, long> Accounting)
{
    /// <summary>The links to other hosts.</summary>
    public IReadOnlyList<LinkStatus> Links { get; set; } = [];

    /// <summary>Hosts that were refused before it was known which link was meant, by reason.</summary>
    public IReadOnlyDictionary<string, long> Refused { get; set; } = new Dictionary<string, long>();

    /// <summary>The last of those, and why.</summary>
    public string LastRefusal { get; set; } = "";

    /// <summary>Packets that were dropped, by reason.</summary>
    public IReadOnlyDictionary<string, long> Drops { get; set; } = new Dictionary<string, long>();

    /// <summary>The endpoints attached by memif.</summary>
    public IReadOnlyList<MemifStatus> Memif { get; set; } = [];
}

/// <summary>Whether a program has connected to the socket of an endpoint.</summary>
/// <param name="Network">The network of the endpoint.</param>
/// <param name="Container">Its container.</param>
/// <param name="Interface">Its name there.</param>
/// <param name="Up">Whether one has.</param>
/// <param name="Detail">Why none has.</param>
internal sealed record MemifStatus(string Network, string Container, string Interface, bool Up, string Detail);

/// <summary>How all of these are written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(NetworkState))]
[JsonSerializable(typeof(SharedNetworks))]
[JsonSerializable(typeof(HostRecord))]
[JsonSerializable(typeof(RemoteRecord))]
[JsonSerializable(typeof(NetworkRecord))]
[JsonSerializable(typeof(NetworkView))]
[JsonSerializable(typeof(NetworkView[]))]
[JsonSerializable(typeof(EndpointRecord))]
[JsonSerializable(typeof(AttachReply))]
[JsonSerializable(typeof(ValidAttachments))]
[JsonSerializable(typeof(Removed))]
[JsonSerializable(typeof(ErrorReply))]
[JsonSerializable(typeof(ServiceStatus))]
[JsonSerializable(typeof(PublishedPort[]))]
internal sealed partial class NetworkJson : JsonSerializerContext;
