using System.Net;
using System.Net.Sockets;

namespace Dataplane.Mesh.Tests.Support;

/// <summary>A TCP server of the test: it says or does with each connection what the test wants, and counts them.</summary>
internal sealed class Server : IAsyncDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Func<Socket, Task> _serve;
    private readonly Task _accepting;
    private int _connections;

    internal Server(Func<Socket, Task> serve)
    {
        _serve = serve;
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _socket.Listen(1024);
        Address = (IPEndPoint)_socket.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    internal IPEndPoint Address { get; }

    /// <summary>Connections that came.</summary>
    internal int Connections => Volatile.Read(ref _connections);

    /// <summary>Gives back what it gets, and ends when the client does.</summary>
    internal static Server Echo() => new(EchoAsync);

    internal static async Task EchoAsync(Socket socket)
    {
        byte[] buffer = new byte[16 << 10];
        int count;
        while ((count = await socket.ReceiveAsync(buffer)) > 0)
        {
            for (int sent = 0; sent < count;)
                sent += await socket.SendAsync(buffer.AsMemory(sent, count - sent));
        }

        socket.Shutdown(SocketShutdown.Send);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _socket.AcceptAsync();
            }
            catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
            {
                return;
            }

            Interlocked.Increment(ref _connections);
            _ = ServeAsync(client);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using (client)
        {
            try
            {
                await _serve(client);
            }
            catch (SocketException)
            {
                // The other side went away, as it does in many tests.
            }
        }
    }
}
