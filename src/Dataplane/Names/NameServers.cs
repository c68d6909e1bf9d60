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

    /// <summary>Compiles; servers whose specification is the same object as before keep their tables, and of others that have the name of one before only what has changed is compiled.</summary>
    public static NameServers Compile(IReadOnlyList<NameServerSpec> specs, NameServers? before)
    {
        if (specs.Count == 0)
        {
            return None;
        }

        var known = (before?.Servers ?? []).ToDictionary(server => server.Spec.Name);
        return new NameServers([.. specs.Select(spec => Compile(spec, known.GetValueOrDefault(spec.Name)))]);
    }

    private static NameServer Compile(NameServerSpec spec, NameServer? before)
    {
        if (before is not null && ReferenceEquals(before.Spec, spec))
        {
            return before;
        }

        NameBook book = before?.Book ?? new NameBook();
        return new NameServer(spec, book.Compile(spec), book);
    }
}
