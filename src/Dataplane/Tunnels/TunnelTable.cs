using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Packets;

namespace Dataplane.Tunnels;

/// <summary>Which addresses take packets inside packets, and which sources our own outer headers have. Immutable.</summary>
internal sealed class TunnelTable
{
    private readonly Dictionary<IpAddress, Decapsulation> _byAddress;
    private readonly EncapsulationSpec _spec;
    private readonly IpPrefix[] _sources;

    private TunnelTable(EncapsulationSpec spec, Dictionary<IpAddress, Decapsulation> byAddress)
    {
        (_spec, _byAddress) = (spec, byAddress);
        _sources = [.. spec.Sources];
        GuePort = spec.GuePort;
    }

    /// <summary>Whether nothing is taken out.</summary>
    public bool IsEmpty => _byAddress.Count == 0;

    /// <summary>Whether packets of ours may be in outer headers.</summary>
    public bool HasSources => _sources.Length > 0;

    public ushort GuePort { get; }

    /// <summary>In the order of the configuration.</summary>
    public IEnumerable<Decapsulation> All => _spec.Decapsulate.Select(entry => _byAddress[entry.Address]);

    /// <summary>Compiles; counters of addresses that stay go on.</summary>
    public static TunnelTable Compile(EncapsulationSpec spec, TunnelTable? before)
    {
        var byAddress = new Dictionary<IpAddress, Decapsulation>();
        foreach (DecapsulationSpec entry in spec.Decapsulate)
        {
            byAddress[entry.Address] = new Decapsulation
            {
                Spec = entry,
                From = [.. entry.From],
                Counters = before?._byAddress.GetValueOrDefault(entry.Address)?.Counters ?? [.. Enumerable.Range(0, (int)SpecLimits.WorkerCount.Max).Select(_ => new BackendCounter())],
            };
        }

        return new TunnelTable(spec, byAddress);
    }

    /// <summary>The engine's addresses that the section asks for: those where packets are taken out, and those that errors about outer headers come back to.</summary>
    public static IEnumerable<IpAddress> AddressesOf(EncapsulationSpec spec) => spec.Decapsulate.Select(entry => entry.Address)
        .Concat(spec.Sources.Where(source => source.Length == source.Address.BitLength).Select(source => source.Address));

    /// <summary>The header before packets of a backend, or null where the configuration has no source of its family (which the checks refuse).</summary>
    public static OuterHeader? HeaderFor(EncapsulationSpec spec, ForwardMode mode, IpAddress backend)
    {
        foreach (IpPrefix source in spec.Sources)
        {
            if (source.Family == backend.Family)
            {
                return new OuterHeader(mode == ForwardMode.Gue ? TunnelKinds.Gue : TunnelKinds.Ipip, source, backend, spec.GuePort);
            }
        }

        return null;
    }

    /// <summary>What takes packets out at an address, or null.</summary>
    public Decapsulation? Find(IpAddress address) => _byAddress.GetValueOrDefault(address);

    /// <summary>Whether outer headers of ours may have a source address.</summary>
    public bool IsSource(IpAddress address)
    {
        foreach (IpPrefix source in _sources)
        {
            if (source.Contains(address))
            {
                return true;
            }
        }

        return false;
    }
}
