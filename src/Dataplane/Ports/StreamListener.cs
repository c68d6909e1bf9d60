using System.Net;
using System.Net.Sockets;
using Dataplane.Native;
using Dataplane.Native.Abi;
using Socket = System.Net.Sockets.Socket;

namespace Dataplane.Ports;

/// <summary>The socket at which a server's peers arrive.</summary>
internal sealed class StreamListener : IDisposable
{
    /// <summary>Peers that may be at their handshake at once; more are turned away.</summary>
    internal const int MaxHandshakes = 8;

    private const int Backlog = 16;

    private readonly Socket _socket;

    /// <summary>Listens. A file that a socket nobody listens on has left at the path is replaced.</summary>
    /// <exception cref="LinuxException">Someone listens there, or the address cannot be had.</exception>
    internal StreamListener(StreamSettings settings)
    {
        _socket = StreamSockets.Open(settings.Address);
        try
        {
            // Listening at [::] takes IPv4 as well, as listening sockets do by default.
            if (settings.Address is IPEndPoint { Address: var address } && address.Equals(IPAddress.IPv6Any))
                _socket.DualMode = true;
            Bind(settings);
            _socket.Listen(Backlog);
        }
        catch (SocketException error)
        {
            _socket.Dispose();
            throw StreamSockets.Refused("bind", settings, error, error.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another process listens there: end it, choose another address, or take role client",
                _ when settings.Address is UnixDomainSocketEndPoint => "check that the directory exists and can be written to",
                SocketError.AddressNotAvailable => "no interface of this host has the address: give it to one, or listen at [::]",
                SocketError.AccessDenied => "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose another port",
                _ => null,
            });
        }
    }

    /// <summary>Waits for a peer.</summary>
    /// <exception cref="SocketException">It could not be taken in.</exception>
    /// <exception cref="OperationCanceledException">The port closes.</exception>
    internal ValueTask<Socket> AcceptAsync(CancellationToken cancellation) => _socket.AcceptAsync(cancellation);

    /// <summary>Closes; the runtime removes the file of a Unix socket.</summary>
    public void Dispose() => _socket.Dispose();

    private void Bind(StreamSettings settings)
    {
        try
        {
            _socket.Bind(settings.Address);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.AddressAlreadyInUse && TryRemoveStale(settings))
        {
            _socket.Bind(settings.Address);
        }
    }

    /// <summary>Removes the file of a socket that nobody listens on any more.</summary>
    private static bool TryRemoveStale(StreamSettings settings)
    {
        if (settings.Address is not UnixDomainSocketEndPoint || settings.AddressText.StartsWith('@'))
            return false;
        using Socket probe = StreamSockets.Open(settings.Address);
        try
        {
            probe.Connect(settings.Address);
        }
        catch (SocketException error) when (error.NativeErrorCode == Errno.ECONNREFUSED)
        {
            File.Delete(settings.AddressText);
            return true;
        }
        catch (SocketException)
        {
            // Something other than a dead socket stays as it is.
        }

        return false;
    }
}
