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

    private static readonly TimeSpan s_afterFailure = TimeSpan.FromSeconds(1);

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

    /// <summary>Takes peers in until it is stopped, and waits for those that are at it.</summary>
    /// <param name="admit">Owns the socket of a peer from then on.</param>
    /// <param name="events">Where it is noted who was not taken in.</param>
    /// <param name="stop">Ends it.</param>
    /// <param name="most">Peers that may be at it at once; more are turned away.</param>
    internal async Task RunAsync(Func<Socket, Task> admit, StreamEvents events, CancellationToken stop, int most = MaxHandshakes)
    {
        var admissions = new List<Task>();
        while (!stop.IsCancellationRequested)
        {
            Socket? socket = null;
            try
            {
                socket = await _socket.AcceptAsync(stop).ConfigureAwait(false);
            }
            catch (SocketException error)
            {
                // No descriptor is left, most likely: one peer less, and not the end of the port.
                events.Note(new StreamEnd(StreamReason.AcceptFailed, StreamErrors.OneLine(error.Message)));
                await Task.WhenAny(Task.Delay(s_afterFailure, stop)).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            admissions.RemoveAll(task => task.IsCompleted);
            if (socket is not null && admissions.Count < most)
            {
                admissions.Add(admit(socket));
            }
            else if (socket is not null)
            {
                events.Note(new StreamEnd(StreamReason.TooManyHandshakes));
                socket.Dispose();
            }
        }

        await Task.WhenAll(admissions).ConfigureAwait(false);
    }

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
