using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;

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
    private readonly StreamEvents _events = new();

    /// <summary>Connections that a hub has let in: the newest waits here until the one before has ended.</summary>
    private readonly Channel<StreamConnection> _offered = Channel.CreateBounded<StreamConnection>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true }, passedOver => passedOver.Dispose());
    private readonly Task _running;
    private StreamConnection? _current;
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
        _listener = settings is { Role: PortRole.Server, Hub: null } ? new StreamListener(settings) : null;
        _running = Task.Run(settings.Hub is not null ? TakeTurnsAsync : _listener is null ? ConnectAsync : ListenAsync);
        settings.Hub?.Add(settings.Tls!.Peer, this);
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
    internal long Malformed => Decoder.Oversized + _events[StreamReason.FrameTruncated] + _events[StreamReason.FrameEmpty] + _events[StreamReason.FrameLength];

    /// <summary>Why the link is down. Any thread.</summary>
    internal string Reason => _events.Last;

    /// <summary>Who the peer is and how it is spoken to; while there is none, where it is expected. Any thread.</summary>
    internal string Description
    {
        get
        {
            StreamConnection? connection = Volatile.Read(ref _current);
            if (connection is null)
                return $"{(_settings.Role == PortRole.Client ? "connects to" : "listens at")} {_settings.AddressText}{(_settings.Tls is null ? "" : ", TLS")}";
            int stalled = connection.StalledSeconds;
            return stalled == 0 ? connection.Peer : $"{connection.Peer}; it has taken nothing for {stalled} s";
        }
    }

    /// <summary>What happened how often. Any thread.</summary>
    internal IReadOnlyList<PortEvent> ReadEvents() => _events.Read();

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

    /// <summary>Takes a connection whose peer a hub knows to be this link's. One that stands gives way: the peer would not connect anew if it had not lost it.</summary>
    internal void Offer(StreamConnection connection)
    {
        if (!_offered.Writer.TryWrite(connection))
        {
            connection.Dispose();
            return;
        }

        // The loop makes a connection the current one and then looks whether another waits; here it is the other way round, so one of the two sees it.
        StreamConnection? current = Volatile.Read(ref _current);
        if (current != connection)
            current?.Abort();
    }

    private async Task CloseAsync()
    {
        Volatile.Write(ref _isFinishing, true);
        _settings.Hub?.Remove(_settings.Tls!.Peer, this);
        _offered.Writer.Complete();
        await _stop.CancelAsync().ConfigureAwait(false);
        WakeLoops();
        await Task.WhenAny(_running, Task.Delay(s_finishTimeout)).ConfigureAwait(false);
        Volatile.Read(ref _current)?.Abort();
        await _running.ConfigureAwait(false);
        while (_offered.Reader.TryRead(out StreamConnection? late))
            late.Dispose();
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
                _events.Note(admission.End);
            retryMs = admission.Connection is { AgeMs: >= SettledMs } ? FirstRetryMs : Math.Min(retryMs * 2, LastRetryMs);
            await PauseAsync(retryMs).ConfigureAwait(false);
        }
    }

    private Task ListenAsync() => _listener!.RunAsync(AdmitAsync, _events, _stop.Token);

    /// <summary>Carries what a hub offers, one connection after the other.</summary>
    private async Task TakeTurnsAsync()
    {
        while (await _offered.Reader.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false))
        {
            if (_offered.Reader.TryRead(out StreamConnection? connection))
                await CarryAsync(connection).ConfigureAwait(false);
        }
    }

    /// <summary>Several peers may be at their handshake, so that one that dawdles does not lock out the others; the first to end it is let in.</summary>
    private async Task AdmitAsync(Socket socket)
    {
        if (Volatile.Read(ref _isClaimed) != 0)
        {
            _events.Note(new StreamEnd(StreamReason.SecondPeer));
            socket.Dispose();
            return;
        }

        StreamAdmission admission = await StreamAdmission.AcceptAsync(this, _settings, socket, _stop.Token).ConfigureAwait(false);
        if (admission.Connection is not { } connection)
        {
            _events.Note(admission.End);
        }
        else if (Interlocked.Exchange(ref _isClaimed, 1) != 0)
        {
            _events.Note(new StreamEnd(StreamReason.SecondPeer));
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
            Interlocked.MemoryBarrier();
            if (IsReplaced)
                connection.Abort();
            StreamEnd end = await connection.RunAsync().ConfigureAwait(false);
            Volatile.Write(ref _isUp, false);
            Volatile.Write(ref _current, null);
            _events.Note(IsReplaced ? new StreamEnd(StreamReason.Replaced) : IsRefusal(connection, end) ? new StreamEnd(StreamReason.TlsEndedByPeer) : end);
            DiscardQueued();
        }
    }

    /// <summary>
    /// In TLS 1.3 the handshake is over for a client before the server has judged its certificate, and the runtime's server then closes without a word.
    /// </summary>
    private bool IsRefusal(StreamConnection connection, StreamEnd end) => _settings is { Tls: not null, Role: PortRole.Client } && !connection.HasReceived
        && connection.AgeMs < SettledMs && (end.Reason is StreamReason.PeerClosed or StreamReason.PeerReset);

    /// <summary>Whether the peer has connected anew.</summary>
    private bool IsReplaced => _offered.Reader.TryPeek(out _);

    /// <summary>This link, if a certificate has the name that its peer's must have.</summary>
    internal StreamLink? LinkOf(X509Certificate2 certificate) => StreamHandshake.HasName(certificate, _settings.Tls!.Peer) ? this : null;

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
