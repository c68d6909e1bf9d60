using System.Net;
using Dataplane.Ports;

namespace Dataplane.Gateway.Networks.Shared;

/// <summary>The TLS links to other hosts: one for each pair, whatever number of networks goes by it.</summary>
/// <remarks>Of two hosts the one whose name comes first (ordinal) connects, the other listens; each demands that the other's certificate has the name of that host. Ports are
/// kept as they are made, since the engine keeps a port open only while its description is the same.</remarks>
internal sealed class HostLinks : IDisposable
{
    /// <summary>The longest packet of a network that goes by links: a stream has no MTU of its own.</summary>
    public const int LargestMtu = 9000;

    /// <summary>The link's own longest packet: a frame of a network has its identifier before it.</summary>
    private const int PortMtu = LargestMtu + 8;

    private const int RingFrames = 1024;

    private readonly Dictionary<LinkRecord, PortSpec> _ports = [];
    private readonly LinkOptions _options;
    private readonly string _host;
    private readonly StreamHub _hub;

    /// <exception cref="IOException">Nobody can listen at the address, or a certificate cannot be read.</exception>
    public HostLinks(ServeOptions options)
    {
        _options = options.Links!;
        _host = options.HostName;
        _hub = new StreamHub(_options.Address, TlsFor(""));
    }

    /// <summary>Where other hosts' links end, as the registry says. Set and read by one thread at a time.</summary>
    public IReadOnlyList<LinkRecord> Hosts { get; set; } = [];

    /// <summary>Hosts that were refused before it was known which link was meant.</summary>
    public IReadOnlyList<PortEvent> ReadRefused() => _hub.ReadEvents();

    /// <summary>The last of them, and why; empty when there was none.</summary>
    public string LastRefusal => _hub.LastRefusal;

    /// <summary>Each host with the port that leads there. Of hosts under one address the first in the list counts: the engine tells peers apart by it.</summary>
    public IReadOnlyList<(string Host, IPEndPoint Address, PortSpec Port)> Ports()
    {
        var result = new List<(string, IPEndPoint, PortSpec)>();
        var addresses = new HashSet<IPAddress>();
        foreach (LinkRecord record in Hosts)
        {
            if (IPEndPoint.TryParse(record.Address, out IPEndPoint? address) && address.Port > 0 && record.Host != _host && addresses.Add(address.Address))
            {
                result.Add((record.Host, address, PortOf(record, address)));
            }
        }

        foreach (LinkRecord gone in _ports.Keys.Where(known => !Hosts.Contains(known)).ToArray())
        {
            _ports.Remove(gone);
        }

        return result;
    }

    /// <summary>Listens no more; the engine closes the links.</summary>
    public void Dispose() => _hub.Dispose();

    /// <summary>Name of the port that leads to a host: 15 characters, whatever the host is called.</summary>
    public static string PortName(string host) => "ln-" + SpecComposer.Short(host);

    private PortSpec PortOf(LinkRecord record, IPEndPoint address)
    {
        if (!_ports.TryGetValue(record, out PortSpec? port))
        {
            string name = _options.NameOf(record.Host);
            _ports[record] = port = new PortSpec
            {
                Name = PortName(record.Host),
                Kind = PortKind.Stream,
                Factory = string.CompareOrdinal(_host, record.Host) < 0
                    ? new StreamPortFactory(address) { Tls = TlsFor(name), Mtu = PortMtu, RingFrames = RingFrames }
                    : _hub.PortFor(name, PortMtu, RingFrames),
            };
        }

        return port;
    }

    private StreamTls TlsFor(string peer) => new() { Certificate = _options.Certificate, Key = _options.Key, Ca = _options.Ca, Peer = peer };
}
