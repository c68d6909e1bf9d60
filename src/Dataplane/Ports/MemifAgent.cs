using Dataplane.Native;
using Dataplane.Native.Abi;

namespace Dataplane.Ports;

/// <summary>The control channels of all memif ports of this process, on one thread that lives as long as there are ports.</summary>
/// <remarks>
/// Everything here happens under one lock: opening and closing come from any thread, messages from the agent's. The worker never
/// waits for it: a connection is handed over by one volatile write and taken back when the worker has let go (<see cref="MemifConnection"/>).
/// </remarks>
internal sealed class MemifAgent : IDisposable
{
    /// <summary>How long a client waits for its second attempt; each further wait is twice as long, a second at most.</summary>
    internal const long FirstRetryNs = 20_000_000;

    private const long LastRetryNs = 1_000_000_000;

    private static readonly Lock s_gate = new();
    private static MemifAgent? s_agent;

    private readonly EventDescriptor _wake = new();
    private readonly PollSet _sockets = new();
    private readonly List<MemifLink> _links = [];
    private readonly List<MemifListener> _listeners = [];
    private readonly List<MemifChannel> _channels = [];
    private readonly List<MemifConnection> _ending = [];
    private readonly Thread _thread;
    private bool _stopping;

    private MemifAgent()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "memif" };
        _thread.Start();
    }

    /// <summary>Opens a port and begins to look for its peer.</summary>
    /// <exception cref="LinuxException">A server cannot listen at the path.</exception>
    public static MemifPort Open(MemifSettings settings, int[]? workers = null)
    {
        var port = new MemifPort(settings, workers);
        try
        {
            lock (s_gate)
            {
                s_agent ??= new MemifAgent();
                s_agent.Add(port);
            }

            return port;
        }
        catch
        {
            port.Dispose();
            throw;
        }
    }

    /// <summary>Ends a port's connection. The worker does not touch the port any more.</summary>
    public static void Close(MemifPort port)
    {
        MemifAgent? last = null;
        lock (s_gate)
        {
            s_agent?.Remove(port);
            if (s_agent is { _links.Count: 0 })
            {
                last = s_agent;
                last._stopping = true;
                s_agent = null;
            }
        }

        last?._wake.Signal();
        last?._thread.Join();
    }

    /// <summary>The worker has let go of a connection, or found a fault. Any thread.</summary>
    public static void Wake() => Volatile.Read(ref s_agent)?._wake.Signal();

    /// <summary>Closes what the thread has waited on; its last act.</summary>
    public void Dispose()
    {
        _sockets.Dispose();
        _wake.Dispose();
    }

    private void Add(MemifPort port)
    {
        MemifSettings settings = port.Settings;
        MemifListener? listener = null;
        if (settings.Role == PortRole.Server)
        {
            listener = _listeners.Find(known => known.Path == settings.SocketPath);
            if (listener is null)
            {
                listener = new MemifListener(settings.SocketPath, settings.SocketMode);
                _listeners.Add(listener);
                _sockets.TryAdd(listener.Socket);
            }

            if (!listener.Ports.TryAdd(settings.Id, port))
            {
                throw new LinuxException(Errno.EADDRINUSE, "memif", $"port {settings.Name}, socket {settings.SocketPath} id {settings.Id}",
                    $"port {listener.Ports[settings.Id].Settings.Name} has this id on this socket: give each its own");
            }
        }

        _links.Add(new MemifLink(port, listener));
        _wake.Signal();
    }

    private void Remove(MemifPort port)
    {
        MemifLink? link = _links.Find(known => known.Port == port);
        if (link is null)
            return;
        foreach (MemifChannel channel in _channels.FindAll(channel => channel.Port == port))
            Close(channel, MemifReason.Closed);
        foreach (MemifConnection connection in link.Ending)
        {
            // Nobody works on the port any more, so nobody will let go either.
            connection.LetGo();
        }

        Sweep();
        _links.Remove(link);
        if (link.Listener is not { } listener)
            return;
        listener.Ports.Remove(port.Settings.Id);
        if (listener.Ports.Count > 0)
            return;
        _listeners.Remove(listener);
        _sockets.Remove(listener.Socket);
        foreach (MemifChannel stranger in _channels.FindAll(channel => channel.Listener == listener))
            Close(stranger, MemifReason.Closed);
        listener.Dispose();
    }

    private void Run()
    {
        using var poller = new Poller([_sockets.Descriptor], _wake);
        long timeoutNs = 0;
        while (true)
        {
            poller.Wait(timeoutNs);
            lock (s_gate)
            {
                if (_stopping)
                    break;
                timeoutNs = Turn(MonotonicClock.NowNs);
            }
        }

        Dispose();
    }

    /// <summary>Does what is to be done now.</summary>
    /// <returns>How long nothing will be to do unless a message or a wake comes; negative: for ever.</returns>
    private long Turn(long nowNs)
    {
        foreach (MemifListener listener in _listeners)
            Accept(listener, nowNs);
        foreach (MemifChannel channel in _channels.ToArray())
            Serve(channel, nowNs);
        Sweep();
        long nextNs = long.MaxValue;
        foreach (MemifLink link in _links)
        {
            if (link.Listener is null && link.Channel is null)
                nextNs = Math.Min(nextNs, Connect(link, nowNs));
        }

        foreach (MemifChannel channel in _channels)
        {
            if (channel.Session.Connection is null)
                nextNs = Math.Min(nextNs, channel.DeadlineNs);
        }

        return nextNs == long.MaxValue ? -1 : Math.Max(0, nextNs - MonotonicClock.NowNs);
    }

    private void Accept(MemifListener listener, long nowNs)
    {
        while (UnixSocket.TryAccept(listener.Socket) is { } socket)
        {
            if (_channels.Count(channel => channel.Listener == listener && channel.Port is null) >= MemifListener.MaxStrangers)
            {
                socket.Dispose();
                continue;
            }

            MemifChannel? channel = null;
            channel = new MemifChannel(socket, new MemifServerSession(Find), nowNs) { Listener = listener };
            Begin(channel);
            channel.TrySend(MemifServerSession.Hello(), null);

            MemifSettings? Find(uint id, out MemifReason reason)
            {
                reason = !listener.Ports.TryGetValue(id, out MemifPort? port) ? MemifReason.IdUnknown
                    : _channels.Exists(other => other.Port == port) ? MemifReason.AlreadyConnected : MemifReason.None;
                if (reason != MemifReason.None)
                    return null;
                channel!.Port = port;
                return port!.Settings;
            }
        }
    }

    private void Serve(MemifChannel channel, long nowNs)
    {
        MemifReason reason;
        MemifPort? port = channel.Port;
        if (channel.Session.Connection is { } standing)
        {
            reason = standing.Fault != MemifFault.None ? MemifReasons.Of(standing.Fault) : channel.TakeEnd();
        }
        else
        {
            reason = channel.Take(nowNs);
            port = channel.Port;
            if (reason == MemifReason.None && channel.Session.Connection is { } made)
            {
                MemifLink link = LinkOf(port!);
                link.RetryNs = FirstRetryNs;
                port!.Publish(made);
            }
        }

        if (reason != MemifReason.None)
            Close(channel, reason);
    }

    /// <summary>Tries to reach the server.</summary>
    /// <returns>When to try again.</returns>
    private long Connect(MemifLink link, long nowNs)
    {
        if (nowNs < link.NextTryNs)
            return link.NextTryNs;
        link.NextTryNs = nowNs + link.RetryNs;
        link.RetryNs = Math.Min(link.RetryNs * 2, LastRetryNs);
        FileDescriptor? socket = null;
        try
        {
            socket = UnixSocket.TryConnect(link.Port.Settings.SocketPath);
        }
        catch (LinuxException error)
        {
            link.Port.Explain(error.Message);
        }

        if (socket is null)
            return link.NextTryNs;
        var channel = new MemifChannel(socket, new MemifClientSession(link.Port.Settings), nowNs) { Port = link.Port };
        link.Channel = channel;
        Begin(channel);
        return channel.DeadlineNs;
    }

    private void Begin(MemifChannel channel)
    {
        _channels.Add(channel);
        _sockets.TryAdd(channel.Socket);
    }

    private void Close(MemifChannel channel, MemifReason reason)
    {
        _channels.Remove(channel);
        _sockets.Remove(channel.Socket);
        if (channel.Port is { } port)
        {
            MemifLink link = LinkOf(port);
            link.Channel = null;
            string text = MemifReasons.TextOf(reason);
            port.Explain(channel.Session.PeerText.Length > 0 ? $"{text}: \"{channel.Session.PeerText}\"" : text);
            if (channel.Session.Connection is { } connection)
            {
                port.Withdraw();
                (connection.TryEnd() ? _ending : link.Ending).Add(connection);
            }
        }

        channel.Close(reason);
    }

    /// <summary>Frees the memory of connections that nobody works on any more.</summary>
    private void Sweep()
    {
        foreach (MemifLink link in _links)
        {
            _ending.AddRange(link.Ending.FindAll(connection => connection.IsEnded));
            link.Ending.RemoveAll(connection => connection.IsEnded);
        }

        _ending.ForEach(connection => connection.Dispose());
        _ending.Clear();
    }

    private MemifLink LinkOf(MemifPort port) => _links.Find(link => link.Port == port)!;
}
