using System.Net.Sockets;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Relay;

/// <summary>One connection through the relay, from its first packet to its record.</summary>
internal sealed class RelayConnection : IDisposable
{
    /// <summary>
    /// When a side takes nothing more, what it sent before may still be on its way, such as the answer of a server that refuses an upload: so long it
    /// has to arrive at the other.
    /// </summary>
    private static readonly TimeSpan s_lastWords = TimeSpan.FromSeconds(1);

    private readonly RelayListener _listener;
    private readonly ListenerState _state;
    private readonly TransportStream _transport;
    private readonly DateTimeOffset _begunAt;
    private readonly long _begun;
    private readonly Lock _ending = new();
    private RelayEnd? _cause;
    private Admission? _admission;
    private Route? _route;
    private UpstreamConnector? _upstream;
    private AuthorizationDecision _decision;
    private long _fromClient;
    private long _toClient;
    private long _activeMs = Environment.TickCount64;
    private volatile bool _isCarrying;

    internal RelayConnection(RelayListener listener, ListenerState state, Socket socket)
    {
        _listener = listener;
        _state = state;
        _transport = new TransportStream(socket);
        _begunAt = TimeProvider.System.GetUtcNow();
        _begun = TimeProvider.System.GetTimestamp();
    }

    /// <summary>Runs it to its end. Never throws.</summary>
    internal async Task RunAsync()
    {
        RelayEnd end;
        Socket socket = _transport.Socket;
        System.Net.IPAddress? counted = null;
        try
        {
            System.Net.IPAddress source = ((System.Net.IPEndPoint)socket.RemoteEndPoint!).Address;
            RelayReason limit = _listener.Server.Limits.Enter(source, _state.Limits);
            counted = limit == RelayReason.Completed ? source : null;
            _admission = new Admission(_state, _listener.Counters, _transport);
            end = counted is null ? new RelayEnd(limit, RelaySide.Relay) : await CarryAsync().ConfigureAwait(false);
        }
        catch (Exception gone) when (TlsErrors.IsOfTheStream(gone))
        {
            end = TlsErrors.OfStream(gone, RelaySide.Client);
        }
#pragma warning disable CA1031 // A fault in one connection must not end the relay; it is told, counted, and the connection is reset.
        catch (Exception fault)
        {
            end = new RelayEnd(RelayReason.InternalError, RelaySide.Relay, $"{fault.GetType().Name}: {fault.Message}");
            _listener.Server.Tell($"a fault of the relay, please report it: {fault}");
        }
#pragma warning restore CA1031
        Finish(_cause ?? end);
        if (counted is not null)
            _listener.Server.Limits.Leave(counted);
    }

    /// <summary>Ends it at once, for a reason of the relay's own. Any thread.</summary>
    internal void Abort(RelayEnd cause)
    {
        lock (_ending)
            _cause ??= cause;
        Sockets.Reset(_transport.Socket);
        _upstream?.Leg?.Reset();
    }

    /// <summary>Ends it if it has carried nothing for too long. Any thread.</summary>
    internal void CheckIdle(long nowMs)
    {
        if (_isCarrying && _state.Limits.IdleTimeout > TimeSpan.Zero && nowMs - Volatile.Read(ref _activeMs) >= _state.Limits.IdleTimeout.TotalMilliseconds)
            Abort(new RelayEnd(RelayReason.IdleTimeout, RelaySide.Relay));
    }

    /// <summary>Ends it if policies that have come since refuse it. Any thread.</summary>
    internal void CheckPolicies(Authorizer authorizer)
    {
        if (!_isCarrying || authorizer.Decide(_admission!.Facts) is not { IsAllowed: false } denied)
            return;
        _decision = denied;
        _listener.Server.CountDenial(denied.Policy);
        Abort(new RelayEnd(RelayReason.DeniedLater, RelaySide.Relay));
    }

    internal void Carried(bool isFromClient, int bytes)
    {
        // Each direction has one writer.
        if (isFromClient)
            _fromClient += bytes;
        else
            _toClient += bytes;
        Volatile.Write(ref _activeMs, Environment.TickCount64);
        _listener.Counters.Carried(isFromClient, bytes);
    }

    /// <summary>Gives its sockets back.</summary>
    public void Dispose()
    {
        _admission?.Leg?.Dispose();
        _transport.Dispose();
        _upstream?.Leg?.Dispose();
    }

    private async Task<RelayEnd> CarryAsync()
    {
        CancellationToken stop = _listener.Server.Aborting;
        Sockets.Prepare(_transport.Socket);
        RelayEnd end = await AdmitAsync(stop).ConfigureAwait(false);
        if (!end.IsGood)
            return end;
        ConnectionFacts facts = _admission!.Facts;
        _decision = _listener.Server.Decide(facts);
        if (!_decision.IsAllowed)
            return new RelayEnd(RelayReason.Denied, RelaySide.Relay);
        _route = _state.RouteFor(facts);
        if (_route is null)
            return new RelayEnd(RelayReason.NoRoute, RelaySide.Client, facts.ServerName.Length > 0 ? facts.ServerName : $"{facts.Destination}");
        _upstream = new UpstreamConnector(_state, _route, _admission, _listener.Counters);
        end = await _upstream.RunAsync(stop).ConfigureAwait(false);
        return end.IsGood ? await CarryAsync(_admission.Leg!, _upstream.Leg!).ConfigureAwait(false) : end;
    }

    private async Task<RelayEnd> AdmitAsync(CancellationToken stop)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(_state.Limits.HandshakeTimeout);
        try
        {
            return await _admission!.RunAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return new RelayEnd(RelayReason.HandshakeTimeout, RelaySide.Client);
        }
    }

    private async Task<RelayEnd> CarryAsync(Leg client, Leg upstream)
    {
        Volatile.Write(ref _activeMs, Environment.TickCount64);
        _isCarrying = true;
        if (_cause is { } early)
            return early;

        // Clients of the edge are all kinds of programs, of which many just close; relays of the mesh end their streams in order.
        Task<RelayEnd> up = Pump.RunAsync(this, client, upstream, isFromClient: true, isStrict: _state.Spec.Kind == ListenerKind.Inbound);
        Task<RelayEnd> down = Pump.RunAsync(this, upstream, client, isFromClient: false, isStrict: _route!.Spec.Connect == UpstreamKind.Mutual);
        Task<RelayEnd> first = await Task.WhenAny(up, down).ConfigureAwait(false);
        Task<RelayEnd> second = first == up ? down : up;
        RelayEnd end = await first.ConfigureAwait(false);
        if (end.IsGood)
        {
            // In good order: the record names the side that ended first.
            RelayEnd other = await second.ConfigureAwait(false);
            if (other.IsGood)
                return end;
            end = other;
        }
        else if (end.Side == (first == up ? RelaySide.Upstream : RelaySide.Client))
        {
            await Task.WhenAny(second, Task.Delay(s_lastWords)).ConfigureAwait(false);
        }

        client.Reset();
        upstream.Reset();
        await Task.WhenAll(up, down).ConfigureAwait(false);
        return end;
    }

    private void Finish(RelayEnd end)
    {
        _isCarrying = false;

        // A handshake that fails has told the peer so by an alert, which a reset could overtake.
        if (!end.IsGood && !(end.Side == RelaySide.Client && _upstream is null && _admission?.Leg?.Tls is not null))
            Abort(end);
        Dispose();
        _upstream?.Counted?.Closed();
        _listener.Counters.End(end);
        _listener.Server.Ended(this, Record(end));
    }

    private AccessRecord Record(in RelayEnd end) => new()
    {
        Time = _begunAt,
        Duration = TimeProvider.System.GetElapsedTime(_begun),
        Listener = _state.Spec.Name,
        Route = _route?.Name ?? "",
        Peer = _admission?.Peer,
        Client = _admission?.Client,
        Identity = _admission?.Identity?.Text ?? "",
        ServerName = _admission?.ServerName ?? "",
        Destination = _admission?.Destination,
        Upstream = _upstream?.Address,
        UpstreamIdentity = _upstream?.Peer?.Text ?? "",
        Tls = _admission?.TlsText ?? "",
        BytesFromClient = _fromClient,
        BytesToClient = _toClient,
        Reason = end.Reason,
        Side = end.Side,
        Detail = end.Detail,
        Policy = _decision.Policy ?? "",
        WouldDeny = _decision.WouldDeny ?? "",
    };
}
