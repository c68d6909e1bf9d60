using System.Net;
using System.Net.Sockets;
using Dataplane.Networks;

namespace Dataplane.Gateway.Networks.Measuring;

/// <summary>Answers at one address of an endpoint, in its namespace: echoes datagrams, and swallows what TCP connections bring.</summary>
internal sealed class Responder : IDisposable
{
    private const int MaxDatagramBytes = 2048;
    private const int BufferBytes = 256 << 10;

    private readonly Socket _datagrams;
    private readonly Socket _connections;

    /// <exception cref="IOException">The namespace is gone.</exception>
    /// <exception cref="SocketException">The endpoint has lost its address.</exception>
    public Responder(string networkNamespace, IPAddress address)
    {
        Address = address;
        (_datagrams, _connections) = NamespaceWork.Run(networkNamespace, () =>
        {
            var datagrams = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            var connections = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            datagrams.Bind(new IPEndPoint(address, 0));
            connections.Bind(new IPEndPoint(address, 0));
            connections.Listen();
            return (datagrams, connections);
        });
        _ = EchoAsync();
        _ = SwallowAsync();
    }

    public IPAddress Address { get; }

    public int DatagramPort => ((IPEndPoint)_datagrams.LocalEndPoint!).Port;

    public int ConnectionPort => ((IPEndPoint)_connections.LocalEndPoint!).Port;

    public void Dispose()
    {
        _datagrams.Dispose();
        _connections.Dispose();
    }

    private async Task EchoAsync()
    {
        byte[] buffer = new byte[MaxDatagramBytes];
        try
        {
            while (true)
            {
                SocketReceiveFromResult came = await _datagrams.ReceiveFromAsync(buffer, new IPEndPoint(Address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0)).ConfigureAwait(false);
                await _datagrams.SendToAsync(buffer.AsMemory(0, came.ReceivedBytes), came.RemoteEndPoint).ConfigureAwait(false);
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // The test is over, or whoever asked is gone.
        }
    }

    private async Task SwallowAsync()
    {
        byte[] buffer = new byte[BufferBytes];
        try
        {
            while (true)
            {
                using Socket connection = await _connections.AcceptAsync().ConfigureAwait(false);
                while (await connection.ReceiveAsync(buffer).ConfigureAwait(false) > 0)
                {
                }

                // The one who sends takes the time when all has arrived.
                await connection.SendAsync(new byte[1]).ConfigureAwait(false);
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // As above.
        }
    }
}
