using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Dataplane.Gateway.Networks;

/// <summary>A UDP port of the host whose datagrams go on to an endpoint: one socket for each client, so that answers find back.</summary>
internal sealed class UdpRelay : IHostPort
{
    /// <summary>More clients at a time are not served; their datagrams are lost, as datagrams may be.</summary>
    private const int MaxClients = 1024;

    private const int MaxDatagramBytes = 65535;
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(60);

    private readonly Socket _socket;
    private readonly IPEndPoint _host;
    private readonly Func<IPAddress, IPAddress?> _sourceFor;
    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentDictionary<EndPoint, Socket> _clients = new();
    private volatile IPEndPoint? _inside;

    /// <exception cref="SocketException">The port is not to be had.</exception>
    public UdpRelay(IPEndPoint host, IPEndPoint? inside, Func<IPAddress, IPAddress?> sourceFor)
    {
        (_host, _inside, _sourceFor) = (host, inside, sourceFor);
        _socket = new Socket(host.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (host.AddressFamily == AddressFamily.InterNetworkV6)
            {
                _socket.DualMode = false;
            }

            _socket.Bind(host);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }

        _ = ReceiveAsync();
    }

    /// <inheritdoc/>
    public IPEndPoint? Inside
    {
        get => _inside;
        set
        {
            if (!Equals(Interlocked.Exchange(ref _inside, value), value))
            {
                // Their sockets are connected to the endpoint before; the next datagram makes another.
                DropClients();
            }
        }
    }

    public override string ToString() => $"udp {_host} -> {_inside?.ToString() ?? "nobody of this family"}";

    public void Dispose()
    {
        _closing.Cancel();
        _socket.Dispose();
        DropClients();
    }

    private void DropClients()
    {
        foreach (Socket client in _clients.Values)
        {
            client.Dispose();
        }
    }

    private async Task ReceiveAsync()
    {
        byte[] buffer = new byte[MaxDatagramBytes];
        var any = new IPEndPoint(_host.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                SocketReceiveFromResult came = await _socket.ReceiveFromAsync(buffer, SocketFlags.None, any, _closing.Token).ConfigureAwait(false);
                if (ClientOf(came.RemoteEndPoint) is { } client)
                {
                    await client.SendAsync(buffer.AsMemory(0, came.ReceivedBytes), _closing.Token).ConfigureAwait(false);
                }
            }
            catch (Exception ended) when (_closing.IsCancellationRequested && ended is (OperationCanceledException or ObjectDisposedException or SocketException))
            {
                return;
            }
            catch (Exception lost) when (lost is SocketException or ObjectDisposedException)
            {
                // An ICMP error about an earlier datagram, or the client's socket was given up just now: datagrams may be lost, the port goes on.
            }
        }
    }

    private Socket? ClientOf(EndPoint client)
    {
        if (_clients.TryGetValue(client, out Socket? known))
        {
            return known;
        }

        if (_inside is not { } inside || _clients.Count >= MaxClients)
        {
            return null;
        }

        var made = new Socket(inside.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (_sourceFor(((IPEndPoint)client).Address) is { } source)
            {
                made.Bind(new IPEndPoint(source, 0));
            }

            made.Connect(inside);
        }
        catch (SocketException)
        {
            made.Dispose();
            return null;
        }

        _clients[client] = made;
        _ = AnswerAsync(client, made);
        return made;
    }

    private async Task AnswerAsync(EndPoint client, Socket socket)
    {
        byte[] buffer = new byte[MaxDatagramBytes];
        try
        {
            while (true)
            {
                using var idle = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
                idle.CancelAfter(s_idle);
                int length = await socket.ReceiveAsync(buffer, idle.Token).ConfigureAwait(false);
                await _socket.SendToAsync(buffer.AsMemory(0, length), client, _closing.Token).ConfigureAwait(false);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // Only this one: another may have been made for the client since.
            _clients.TryRemove(KeyValuePair.Create(client, socket));
            socket.Dispose();
        }
    }
}
