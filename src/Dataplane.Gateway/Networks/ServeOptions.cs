using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Networks;

/// <summary>How the control service runs.</summary>
internal sealed record ServeOptions
{
    public const string DefaultSocket = "/run/dataplane/network.sock";
    public const string DefaultState = "/var/lib/dataplane/networks";

    public const string DefaultMemif = "/run/dataplane/memif";

    /// <summary>Where state and leases are kept.</summary>
    public string StateDirectory { get; init; } = DefaultState;

    /// <summary>Where the sockets of endpoints attached by memif are, a directory each.</summary>
    public string MemifDirectory { get; init; } = DefaultMemif;

    /// <summary>Interface of the host's end of the link between the host and the engine; empty: there is none.</summary>
    public string HostInterface { get; init; } = "dp0";

    /// <summary>The host's end of the link; the engine has the next address. From the shared address space (RFC 6598), and unique local addresses.</summary>
    public IReadOnlyList<IpPrefix> HostLinks { get; init; } = [IpPrefix.Parse("100.127.255.253/30"), IpPrefix.Parse("fd64:7064::1/126")];

    /// <summary>Interface by which the engine is on a network of its own right; empty: the way out is the host.</summary>
    public string Uplink { get; init; } = "";

    public PortKind UplinkKind { get; init; } = PortKind.AfPacket;

    /// <summary>Addresses of the engine there, which are nobody else's.</summary>
    public IReadOnlyList<IpPrefix> UplinkAddresses { get; init; } = [];

    /// <summary>Members of the etcd cluster that holds the networks which hosts share; empty: this host is alone.</summary>
    public IReadOnlyList<string> Etcd { get; init; } = [];

    /// <summary>What the keys there begin with.</summary>
    public string EtcdPrefix { get; init; } = "/dataplane/networks/";

    /// <summary>Name of this host among those that share networks.</summary>
    public string HostName { get; init; } = Environment.MachineName;

    /// <summary>After this time without a word of a host its containers may be attached elsewhere; whole seconds.</summary>
    public TimeSpan HostTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Where this host's tunnels end: an address of the engine's own; none: it shares no networks by VXLAN.</summary>
    public IpAddress Tunnel { get; init; }

    /// <summary>This host's end of the TLS links to other hosts; null: it has none.</summary>
    public LinkOptions? Links { get; init; }

    /// <summary>Next routers there, one of each family at most.</summary>
    public IReadOnlyList<IpAddress> UplinkGateways { get; init; } = [];
}

/// <summary>This host's end of the TLS links to other hosts.</summary>
/// <param name="Address">Where it listens, and where other hosts connect to: an address of the host, not of the engine.</param>
/// <param name="Certificate">File with the host's certificate, and the intermediate ones behind it.</param>
/// <param name="Key">File with its private key.</param>
/// <param name="Ca">File with the authorities that hosts' certificates come from.</param>
internal sealed record LinkOptions(System.Net.IPEndPoint Address, string Certificate, string Key, string Ca)
{
    /// <summary>What stands for the name of a host in <see cref="Name"/>.</summary>
    public const string HostMark = "{host}";

    /// <summary>The name that the certificate of a host must have.</summary>
    public string Name { get; init; } = HostMark;

    /// <summary>The name that the certificate of one host must have.</summary>
    public string NameOf(string host) => Name.Replace(HostMark, host, StringComparison.Ordinal);
}
