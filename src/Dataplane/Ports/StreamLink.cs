using System.Net.Sockets;

namespace Dataplane.Ports;

/// <summary>The control side of a stream port: listens or connects, lets one peer in at a time, and says why the link is down.</summary>
/// <remarks>
/// Everything here runs on the thread pool. The worker touches the two rings, <see cref="IsUp"/> and <see cref="NoteRoom"/>, and nothing else. A ring's
/// end on this side goes from one connection to the next only after the loops of the first have ended, so that it has one user at a time.
/// </remarks>
internal sealed class StreamLink : IDisposable
{
    /// <summary>How long a client waits before its second attempt; each further wait is twice as long, up to a second.</summary>
    private const int FirstRetryMs = 20, LastRetryMs = 1000;

    /// <summary>A connection that held for so long shows that all is well: the next attempt is made soon.</summary>
    private const int SettledMs = 1000;

    private static readonly TimeSpan s_finishTimeout = TimeSpan.FromSeconds(1);

    private readonly StreamSettings _settings;
    private readonly StreamListener? _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly AsyncSignal _frames = new(), _room = new();
    private readonly long[] _events = new long[StreamReasons.Count];
    private readonly Task _running;
    private StreamConnection? _current;
    private StreamEnd _lastEnd = new(StreamReason.NoPeer);
    private int _isClaimed;
    private int _waitsForRoom;
    private bool _isUp;
    private bool _isFinishing;
    private long _lost;

    /// <summary>Begins to listen, or to connect.</summary>
    /// <exception cref="IOException">The address cannot be listened at, or a certificate cannot be read.</exception>
    internal StreamLink(StreamSettings settings, FrameRing received)
    {
        _settings = settings;
        Received = received;
        ToSend = settings.MakeRing();
        ToSend.SetWaker(_frames);
        Decoder = new StreamDecoder(received, settings.MaxFrameBytes);
        if (settings.Tls is { } tls)
            StreamCredentials.Read(tls).Dispose();
        _listener = settings.Role == PortRole.Server ? new StreamListener(settings) : null;
        _running = Task.Run(_listener is null ? ConnectAsync : ListenAsync);
    }

    /// <summary>Frames for the worker.</summary>
    internal FrameRing Received { get; }

    /// <summary>Frames from the worker.</summary>
    internal FrameRing ToSend { get; }

    internal StreamDecoder Decoder { get; }

    /// <summary>Whether a peer is there. Any thread.</summary>
    internal bool IsUp => Volatile.Read(ref _isUp);

    /// <summary>Whether the port closes once its frames are sent.</summary>
    internal bool IsFinishing => Volatile.Read(ref _isFinishing);

    /// <summary>Frames taken from the worker that no peer got. Any thread.</summary>
    internal long Lost => Volatile.Read(ref _lost);

    /// <summary>Frames that could not be taken, and streams that ended because they were none of frames. Any thread.</summary>
    internal long Malformed => Decoder.Oversized + Volatile.Read(ref _events[(int)StreamReason.FrameTruncated])
        + Volatile.Read(ref _events[(int)StreamReason.FrameEmpty]) + Volatile.Read(ref _events[(int)StreamReason.FrameLength]);

    /// <summary>Why the link is down. Any thread.</summary>
    internal string Reason
    {
        get
        {
            lock (_events)
                return _lastEnd.ToString();
        }
    }

    /// <summary>Who the peer is and how it is spoken to; while there is none, where it is expected. Any thread.</summary>
    internal string Description
    {
        get
        {
            StreamConnection? connection = Volatile.Read(ref _current);
            if (connection is null)
                return $"{(_listener is null ? "connects to" : "listens at")} {_settings.AddressText}{(_settings.Tls is null ? "" : ", TLS")}";
            int stalled = connection.StalledSeconds;
            return stalled == 0 ? connection.Peer : $"{connection.Peer}; it has taken nothing for {stalled} s";
        }
    }

    /// <summary>What happened how often. Any thread.</summary>
    internal IReadOnlyList<PortEvent> ReadEvents()
    {
        var result = new List<PortEvent>();
        for (int reason = 0; reason < _events.Length; reason++)
        {
            string name = StreamReasons.NameOf((StreamReason)reason);
            long count = Volatile.Read(ref _events[reason]);
            if (name.Length > 0 && count > 0)
                result.Add(new PortEvent(name, count));
        }

        return result;
    }

    /// <summary>The worker has given slots back.</summary>
    internal void NoteRoom()
    {
        // The slots' index was stored before; the flag is read after. The loop does both the other way round, so one of the two sees the other.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _waitsForRoom) != 0 && Interlocked.Exchange(ref _waitsForRoom, 0) != 0)
            _room.Wake();
    }

    /// <summary>Waits until the worker has given slots back; may return without.</summary>
    internal ValueTask WaitForRoomAsync()
    {
        Volatile.Write(ref _waitsForRoom, 1);
        Interlocked.MemoryBarrier();
        return Received.Reserve(1) > 0 ? ValueTask.CompletedTask : _room.WaitAsync();
    }

    /// <summary>Waits until the worker has sent frames; may return without.</summary>
    internal ValueTask WaitForFramesAsync() => _frames.WaitAsync();

    /// <summary>Has both loops look at what changed.</summary>
    internal void WakeLoops()
    {
        _frames.Wake();
        _room.Wake();
    }

    /// <summary>Frames of the worker did not get to the peer.</summary>
    internal void CountLost(int frames) => Interlocked.Add(ref _lost, frames);

    /// <summary>Sends what is queued, for as long as a peer takes it but a second at most, and closes everything. The worker is done with the port.</summary>
    public void Dispose() => Task.Run(CloseAsync).GetAwaiter().GetResult();

    /// <summary>Notes why a peer is gone or was not let in.</summary>
    internal void Note(StreamEnd end)
    {
        Interlocked.Increment(ref _events[(int)end.Reason]);

        // That somebody else was turned away is no reason why the link is down.
        if (end.Reason is StreamReason.SecondPeer)
            return;
        lock (_events)
            _lastEnd = end;
    }

    private async Task CloseAsync()
    {
        Volatile.Write(ref _isFinishing, true);
        await _stop.CancelAsync().ConfigureAwait(false);
        WakeLoops();
        await Task.WhenAny(_running, Task.Delay(s_finishTimeout)).ConfigureAwait(false);
        Volatile.Read(ref _current)?.Abort();
        await _running.ConfigureAwait(false);
        _listener?.Dispose();
        _stop.Dispose();
    }

    private async Task ConnectAsync()
    {
        int retryMs = FirstRetryMs;
        while (!_stop.IsCancellationRequested)
        {
            StreamAdmission admission = await StreamAdmission.ConnectAsync(this, _settings, _stop.Token).ConfigureAwait(false);
            if (admission.Connection is { } connection)
                await CarryAsync(connection).ConfigureAwait(false);
            else if (!_stop.IsCancellationRequested)
                Note(admission.End);
            retryMs = admission.Connection is { AgeMs: >= SettledMs } ? FirstRetryMs : Math.Min(retryMs * 2, LastRetryMs);
            await PauseAsync(retryMs).ConfigureAwait(false);
        }
    }

    private async Task ListenAsync()
    {
        var admissions = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            Socket? socket = null;
            try
            {
                socket = await _listener!.AcceptAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (SocketException error)
            {
                // No descriptor is left, most likely: one peer less, and not the end of the port.
                Note(new StreamEnd(StreamReason.AcceptFailed, StreamErrors.OneLine(error.Message)));
                await PauseAsync(LastRetryMs).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            admissions.RemoveAll(task => task.IsCompleted);
            if (socket is not null)
                Receive(socket, admissions);
        }

        await Task.WhenAll(admissions).ConfigureAwait(false);
    }

    private void Receive(Socket socket, List<Task> admissions)
    {
        StreamReason reason = Volatile.Read(ref _isClaimed) != 0 ? StreamReason.SecondPeer
            : admissions.Count >= StreamListener.MaxHandshakes ? StreamReason.TooManyHandshakes : StreamReason.None;
        if (reason == StreamReason.None)
        {
            admissions.Add(AdmitAsync(socket));
            return;
        }

        Note(new StreamEnd(reason));
        socket.Dispose();
    }

    /// <summary>Several peers may be at their handshake, so that one that dawdles does not lock out the others; the first to end it is let in.</summary>
    private async Task AdmitAsync(Socket socket)
    {
        StreamAdmission admission = await StreamAdmission.AcceptAsync(this, _settings, socket, _stop.Token).ConfigureAwait(false);
        if (admission.Connection is not { } connection)
        {
            Note(admission.End);
        }
        else if (Interlocked.Exchange(ref _isClaimed, 1) != 0)
        {
            Note(new StreamEnd(StreamReason.SecondPeer));
            connection.Dispose();
        }
        else
        {
            await CarryAsync(connection).ConfigureAwait(false);
            Volatile.Write(ref _isClaimed, 0);
        }
    }

    /// <summary>Carries frames for as long as the connection holds.</summary>
    private async Task CarryAsync(StreamConnection connection)
    {
        using (connection)
        {
            Decoder.Reset();
            DiscardQueued();
            Volatile.Write(ref _current, connection);
            Volatile.Write(ref _isUp, true);
            StreamEnd end = await connection.RunAsync().ConfigureAwait(false);
            Volatile.Write(ref _isUp, false);
            Volatile.Write(ref _current, null);
            Note(IsRefusal(connection, end) ? new StreamEnd(StreamReason.TlsEndedByPeer) : end);
            DiscardQueued();
        }
    }

    /// <summary>
    /// In TLS 1.3 the handshake is over for a client before the server has judged its certificate, and the runtime's server then closes without a word.
    /// </summary>
    private bool IsRefusal(StreamConnection connection, StreamEnd end) => _settings.Tls is not null && _listener is null && !connection.HasReceived
        && connection.AgeMs < SettledMs && (end.Reason is StreamReason.PeerClosed or StreamReason.PeerReset);

    /// <summary>What was meant for a peer that is gone is not for the next one.</summary>
    private void DiscardQueued()
    {
        for (int count = ToSend.Take(ToSend.Slots); count > 0; count = ToSend.Take(ToSend.Slots))
        {
            CountLost(count);
            ToSend.ReleaseTaken();
        }
    }

    private async Task PauseAsync(int milliseconds)
    {
        try
        {
            await Task.Delay(milliseconds, _stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The port closes.
        }
    }
}
