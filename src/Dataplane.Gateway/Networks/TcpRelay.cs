using System.Net;
using System.Net.Sockets;

namespace Dataplane.Gateway.Networks;

/// <summary>A TCP port of the host whose connections go on to an endpoint, from the address that they came from where that is the host's.</summary>
internal sealed class TcpRelay : IDisposable
{
    private const int Backlog = 128;
    private const int BufferBytes = 64 << 10;

    private readonly Socket _listener;
    private readonly IPEndPoint _host;
    private readonly IPEndPoint? _inside;
    private readonly Func<IPAddress, IPAddress?> _sourceFor;
    private readonly CancellationTokenSource _closing = new();

    /// <exception cref="SocketException">The port is not to be had.</exception>
    public TcpRelay(IPEndPoint host, IPEndPoint? inside, Func<IPAddress, IPAddress?> sourceFor)
    {
        (_host, _inside, _sourceFor) = (host, inside, sourceFor);
        _listener = new Socket(host.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (host.AddressFamily == AddressFamily.InterNetworkV6)
            {
                _listener.DualMode = false;
            }

            _listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            _listener.Bind(host);
            _listener.Listen(Backlog);
        }
        catch
        {
            _listener.Dispose();
            throw;
        }

        _ = AcceptAsync();
    }

    public override string ToString() => $"tcp {_host} -> {_inside?.ToString() ?? "nobody of this family"}";

    public void Dispose()
    {
        _closing.Cancel();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                Socket client = await _listener.AcceptAsync(_closing.Token).ConfigureAwait(false);
                _ = RelayAsync(client);
            }
            catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // A connection that was reset before it was accepted, or no descriptor left: the next may come.
                await Task.Delay(10).ConfigureAwait(false);
            }
        }
    }

    private async Task RelayAsync(Socket client)
    {
        using Socket near = client;
        if (_inside is null)
        {
            return;
        }

        using var far = new Socket(_inside.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (_sourceFor(((IPEndPoint)near.RemoteEndPoint!).Address) is { } source)
            {
                far.Bind(new IPEndPoint(source, 0));
            }

            near.NoDelay = far.NoDelay = true;
            await far.ConnectAsync(_inside, _closing.Token).ConfigureAwait(false);
            Task there = CopyAsync(near, far), back = CopyAsync(far, near);
            await Task.WhenAll(there, back).ConfigureAwait(false);
        }
        catch (Exception ended) when (ended is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client sees the connection end, as it would if the container had refused it.
            near.LingerState = new LingerOption(true, 0);
        }
    }

    private async Task CopyAsync(Socket from, Socket to)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
        int length;
        while ((length = await from.ReceiveAsync(buffer, _closing.Token).ConfigureAwait(false)) > 0)
        {
            for (int sent = 0; sent < length;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, length - sent), _closing.Token).ConfigureAwait(false);
            }
        }

        to.Shutdown(SocketShutdown.Send);
    }
}
