using System.Net;
using System.Net.Sockets;

namespace Dataplane.Mesh.Relay;

/// <summary>One address at which the relay listens; what is done with connections can be changed while it does.</summary>
internal sealed class RelayListener : IDisposable
{
    private static readonly TimeSpan s_pauseWhenFull = TimeSpan.FromMilliseconds(50);

    private readonly Socket _socket;
    private readonly CancellationTokenSource _closing = new();
    private ListenerState _state;
    private Task _accepting = Task.CompletedTask;

    /// <summary>Listens; takes nothing in before <see cref="Start"/>.</summary>
    internal RelayListener(RelayServer server, ListenerState state, Socket socket, ListenerCounters counters)
    {
        Server = server;
        _state = state;
        Counters = counters;
        _socket = socket;
        Address = (IPEndPoint)_socket.LocalEndPoint!;
    }

    internal RelayServer Server { get; }

    internal ListenerCounters Counters { get; }

    /// <summary>Where it listens; with port 0 the one that the system chose.</summary>
    internal IPEndPoint Address { get; }

    /// <summary>The socket at which it listens.</summary>
    internal Socket Socket => _socket;

    internal ListenerState State => Volatile.Read(ref _state);

    internal void Start() => _accepting = AcceptAsync();

    /// <summary>Connections that come from now on are treated so; those that stand go on as they began.</summary>
    internal void Update(ListenerState state)
    {
        ListenerState before = Interlocked.Exchange(ref _state, state);
        before.Dispose();
    }

    /// <summary>Stops taking connections in.</summary>
    /// <param name="isHandedOver">Whether another process listens at the same socket, and takes what waits there; otherwise what the kernel has already accepted is still taken here.</param>
    internal async Task CloseAsync(bool isHandedOver = false)
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(false);
        try
        {
            while (!isHandedOver && _socket.Poll(0, SelectMode.SelectRead))
                Begin(_socket.Accept());
        }
        catch (SocketException)
        {
            // Nobody is there any more.
        }

        _socket.Dispose();
    }

    public void Dispose()
    {
        _socket.Dispose();
        _closing.Dispose();
        State.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                Begin(await _socket.AcceptAsync(_closing.Token).ConfigureAwait(false));
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException error) when (error.SocketErrorCode is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable)
            {
                // No descriptor is free. The connection waits in the kernel's queue; asking at once again would only burn the processor.
                Server.TellOnce($"listener {State.Spec.Name}: {error.Message}: connections wait; raise the limit of open files (ulimit -n)");
                await Task.Delay(s_pauseWhenFull).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                // The client went away before it was taken in (accept(2): treat like EAGAIN).
            }
        }
    }

    private void Begin(Socket socket)
    {
        Counters.Accept();
        Server.Begin(new RelayConnection(this, State, socket));
    }
}
