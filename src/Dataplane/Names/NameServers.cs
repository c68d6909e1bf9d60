using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>The name servers in force, by address. Immutable.</summary>
internal sealed class NameServers
{
    private readonly Dictionary<IpAddress, NameServer> _byAddress = [];

    private NameServers(NameServer[] servers)
    {
        Servers = servers;
        foreach (NameServer server in servers)
        {
            foreach (IpAddress address in server.Spec.Addresses)
            {
                _byAddress[address] = server;
            }
        }
    }

    public static NameServers None { get; } = new([]);

    public NameServer[] Servers { get; }

    public bool IsEmpty => Servers.Length == 0;

    /// <summary>The server of an address, or null.</summary>
    public NameServer? Find(in FlowKey key) => _byAddress.GetValueOrDefault(key.Destination);

    /// <summary>Compiles; servers whose specification is the same object as before keep their tables.</summary>
    public static NameServers Compile(IReadOnlyList<NameServerSpec> specs, NameServers? before)
    {
        if (specs.Count == 0)
        {
            return None;
        }

        return new NameServers([.. specs.Select(spec =>
            before?.Servers.FirstOrDefault(server => ReferenceEquals(server.Spec, spec)) ?? new NameServer(spec, NameTableCompiler.Compile(spec)))]);
    }
}
