using System.Net;
using System.Net.Sockets;

namespace Dataplane.Gateway.Networks;

/// <summary>The host's ports that are published: bound, so that nothing else of the host takes them, and relayed for the host's own programs.</summary>
/// <remarks>
/// What comes over an uplink never gets here: the engine forwards it, with the client's address. A program of the host reaches the host's own address over
/// its loopback interface, which no packet engine sees; such connections end here and go on from the same address of the host, so that the
/// container sees who called.
/// </remarks>
internal sealed class HostPorts(Func<IPAddress, IPAddress?> sourceFor) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Network, string Endpoint), Dictionary<(string Protocol, IPEndPoint Host), IHostPort>> _held = [];

    /// <summary>What is open on the host, one line each.</summary>
    public IReadOnlyList<string> Open
    {
        get
        {
            lock (_gate)
            {
                return [.. _held.Values.SelectMany(list => list.Values).Select(held => held.ToString()!).Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Binds all ports of an endpoint, or changes nothing. What it had before and has not any more is freed; connections through what stays go on.</summary>
    /// <exception cref="NetworkException">Another program has one of them, or the host has no such address.</exception>
    public void Reserve(string network, EndpointRecord endpoint)
    {
        lock (_gate)
        {
            Dictionary<(string, IPEndPoint), IHostPort> had = _held.GetValueOrDefault((network, endpoint.Key)) ?? [];
            var made = new Dictionary<(string, IPEndPoint), IHostPort>();
            var kept = new List<(IHostPort Port, IPEndPoint? Inside)>();
            try
            {
                foreach ((string protocol, IPEndPoint host, IPEndPoint? inside) in Wanted(endpoint))
                {
                    if (had.TryGetValue((protocol, host), out IHostPort? known))
                    {
                        kept.Add((known, inside));
                    }
                    else if (!made.ContainsKey((protocol, host)))
                    {
                        made.Add((protocol, host), Bind(protocol, host, inside));
                    }
                }
            }
            catch
            {
                foreach (IHostPort port in made.Values)
                {
                    port.Dispose();
                }

                throw;
            }

            kept.ForEach(pair => pair.Port.Inside = pair.Inside);
            HashSet<IHostPort> staying = [.. kept.Select(pair => pair.Port)];
            foreach (((string, IPEndPoint) place, IHostPort port) in had)
            {
                if (staying.Contains(port))
                {
                    made.Add(place, port);
                }
                else
                {
                    port.Dispose();
                }
            }

            _held[(network, endpoint.Key)] = made;
        }
    }

    /// <summary>Frees the ports of an endpoint; none is no error.</summary>
    public void Release(string network, EndpointRecord endpoint)
    {
        lock (_gate)
        {
            if (_held.Remove((network, endpoint.Key), out Dictionary<(string, IPEndPoint), IHostPort>? held))
            {
                DisposeAll(held);
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (Dictionary<(string, IPEndPoint), IHostPort> held in _held.Values)
            {
                DisposeAll(held);
            }

            _held.Clear();
        }
    }

    private static void DisposeAll(Dictionary<(string, IPEndPoint), IHostPort> ports)
    {
        foreach (IHostPort port in ports.Values)
        {
            port.Dispose();
        }
    }

    private static IEnumerable<(string Protocol, IPEndPoint Host, IPEndPoint? Inside)> Wanted(EndpointRecord endpoint)
    {
        foreach (PublishedPort port in endpoint.ReservePorts ? endpoint.Ports : [])
        {
            foreach (IPAddress host in HostAddresses(port))
            {
                IPAddress? inside = endpoint.Addresses.Select(IPAddress.Parse).FirstOrDefault(address => address.AddressFamily == host.AddressFamily);
                for (int i = 0; i < port.Count; i++)
                {
                    yield return (port.Protocol, new IPEndPoint(host, port.HostPort + i), inside is null ? null : new IPEndPoint(inside, port.Port + i));
                }
            }
        }
    }

    private static IEnumerable<IPAddress> HostAddresses(PublishedPort port) =>
        port.HostAddress.Length > 0 ? [IPAddress.Parse(port.HostAddress)] : Socket.OSSupportsIPv6 ? [IPAddress.Any, IPAddress.IPv6Any] : [IPAddress.Any];

    private IHostPort Bind(string protocol, IPEndPoint host, IPEndPoint? inside)
    {
        try
        {
            return protocol == "udp" ? new UdpRelay(host, inside, sourceFor) : new TcpRelay(host, inside, sourceFor);
        }
        catch (SocketException refused)
        {
            NetworkFault fault = refused.SocketErrorCode == SocketError.AddressAlreadyInUse ? NetworkFault.Conflict : NetworkFault.Invalid;
            throw new NetworkException(fault, $"Port {host} ({protocol}) of the host cannot be published: {refused.Message}. See who has it with ss -ltunp, or choose another.", refused);
        }
    }
}
