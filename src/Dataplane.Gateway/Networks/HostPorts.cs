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
    private readonly Dictionary<string, List<IDisposable>> _held = [];

    /// <summary>What is open on the host, one line each.</summary>
    public IReadOnlyList<string> Open
    {
        get
        {
            lock (_gate)
            {
                return [.. _held.Values.SelectMany(list => list).Select(held => held.ToString()!).Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Binds all ports of an endpoint, or none.</summary>
    /// <exception cref="NetworkException">Another program has one of them, or the host has no such address.</exception>
    public void Reserve(EndpointRecord endpoint)
    {
        var made = new List<IDisposable>();
        try
        {
            foreach (PublishedPort port in endpoint.ReservePorts ? endpoint.Ports : [])
            {
                foreach (IPAddress host in HostAddresses(port))
                {
                    IPAddress? inside = endpoint.Addresses.Select(IPAddress.Parse).FirstOrDefault(address => address.AddressFamily == host.AddressFamily);
                    for (int i = 0; i < port.Count; i++)
                    {
                        made.Add(Bind(port, new IPEndPoint(host, port.HostPort + i), inside is null ? null : new IPEndPoint(inside, port.Port + i)));
                    }
                }
            }
        }
        catch
        {
            made.ForEach(held => held.Dispose());
            throw;
        }

        lock (_gate)
        {
            _held[endpoint.Key] = made;
        }
    }

    /// <summary>Frees the ports of an endpoint; none is no error.</summary>
    public void Release(EndpointRecord endpoint)
    {
        List<IDisposable>? held;
        lock (_gate)
        {
            _held.Remove(endpoint.Key, out held);
        }

        held?.ForEach(one => one.Dispose());
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (IDisposable held in _held.Values.SelectMany(list => list))
            {
                held.Dispose();
            }

            _held.Clear();
        }
    }

    private static IEnumerable<IPAddress> HostAddresses(PublishedPort port) =>
        port.HostAddress.Length > 0 ? [IPAddress.Parse(port.HostAddress)] : Socket.OSSupportsIPv6 ? [IPAddress.Any, IPAddress.IPv6Any] : [IPAddress.Any];

    private IDisposable Bind(PublishedPort port, IPEndPoint host, IPEndPoint? inside)
    {
        try
        {
            return port.Protocol == "udp" ? new UdpRelay(host, inside, sourceFor) : new TcpRelay(host, inside, sourceFor);
        }
        catch (SocketException refused)
        {
            NetworkFault fault = refused.SocketErrorCode == SocketError.AddressAlreadyInUse ? NetworkFault.Conflict : NetworkFault.Invalid;
            throw new NetworkException(fault, $"Port {host} ({port.Protocol}) of the host cannot be published: {refused.Message}. See who has it with ss -ltunp, or choose another.", refused);
        }
    }
}
