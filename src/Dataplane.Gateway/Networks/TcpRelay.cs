using System.Net;
using System.Net.Sockets;
using Dataplane.Mesh.Relay;

namespace Dataplane.Gateway.Networks;

/// <summary>A TCP port of the host whose connections go on to an endpoint, from the address that they came from where that is the host's.</summary>
internal sealed class TcpRelay : IHostPort
{
    private const int Backlog = 128;
    private const int BufferBytes = 64 << 10;

    private readonly Socket _listener;
    private readonly IPEndPoint _host;
    private readonly Func<IPAddress, IPAddress?> _sourceFor;
    private readonly CancellationTokenSource _closing = new();
    private volatile IPEndPoint? _inside;

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

    /// <inheritdoc/>
    public IPEndPoint? Inside
    {
        get => _inside;
        set => _inside = value;
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
        if (_inside is not { } inside)
        {
            return;
        }

        using var far = new Socket(inside.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (_sourceFor(((IPEndPoint)near.RemoteEndPoint!).Address) is { } source)
            {
                far.Bind(new IPEndPoint(source, 0));
            }

            near.NoDelay = far.NoDelay = true;

            // A side that has gone without a word, its host with it, must not keep the other for ever.
            near.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            far.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            await far.ConnectAsync(inside, _closing.Token).ConfigureAwait(false);
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
            await Task.WhenAll(CopyAsync(near, far, ending), CopyAsync(far, near, ending)).ConfigureAwait(false);
        }
        catch (Exception ended) when (IsEnd(ended))
        {
            // Both sides see it end in the way it did, as they would without a relay between them.
            Sockets.Reset(near);
            Sockets.Reset(far);
        }
    }

    private static async Task CopyAsync(Socket from, Socket to, CancellationTokenSource ending)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
        try
        {
            int length;
            while ((length = await from.ReceiveAsync(buffer, ending.Token).ConfigureAwait(false)) > 0)
            {
                for (int sent = 0; sent < length;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, length - sent), ending.Token).ConfigureAwait(false);
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception ended) when (IsEnd(ended))
        {
            // A reset ends both directions: the other one may wait for a word that never comes.
            await ending.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static bool IsEnd(Exception exception) => exception is SocketException or OperationCanceledException or ObjectDisposedException;
}
