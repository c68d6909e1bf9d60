using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Dataplane.Configuration;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>
/// A relay: takes TCP connections in, protects them with TLS or ends their TLS, and carries them to their destinations. Start, update and stop come
/// from one caller at a time; reading is for any thread.
/// </summary>
/// <remarks>
/// Protocols in which the server speaks first work like all others: nothing waits for what a client says, except the greeting of TLS where TLS ends
/// here or is passed through.
/// </remarks>
public sealed partial class RelayServer : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly Action<AccessRecord>? _access;
    private readonly Action<string>? _log;
    private readonly ConcurrentDictionary<RelayConnection, byte> _connections = new();
    private readonly ConcurrentDictionary<string, long> _denials = new(), _wouldDenials = new();
    private readonly ConcurrentDictionary<string, ListenerCounters> _counters = new();
    private readonly CancellationTokenSource _aborting = new();
    private readonly RelayMeter _meter;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RelayListener[] _listeners = [];
    private List<Socket> _inherited = [];
    private bool _isHandedOver;
    private Authorizer _authorizer;
    private IdentitySource? _identity;
    private ITimer? _sweep;
    private string _lastTold = "";
    private RelayState _state = RelayState.Created;
    private bool _isClosed;

    /// <summary>Takes a specification; nothing is opened before <see cref="Start"/>.</summary>
    /// <param name="spec">What to do.</param>
    /// <param name="access">Is told of every connection that has ended, on any thread; it must be quick and not throw.</param>
    /// <param name="log">Is told in one line of certificates that changed and of what an operator must look at, on any thread.</param>
    /// <param name="time">The clock for certificates; the system's when left out.</param>
    /// <exception cref="ConfigurationException">The specification has errors; all are in it.</exception>
    public RelayServer(RelaySpec spec, Action<AccessRecord>? access = null, Action<string>? log = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        Check(spec);
        Spec = spec;
        _access = access;
        _log = log;
        _time = time ?? TimeProvider.System;
        _authorizer = new Authorizer(spec.Authorization);
        _meter = new RelayMeter(this);
    }

    /// <summary>The specification in force.</summary>
    public RelaySpec Spec { get; private set; }

    /// <summary>Who the relay is, and until when; null when it has no identity or is not started.</summary>
    public IdentityStatus? Identity => _identity?.ReadStatus();

    internal SourceLimits Limits { get; } = new();

    /// <summary>Cancelled when connections must end at once.</summary>
    internal CancellationToken Aborting => _aborting.Token;

    /// <summary>Where a listener listens; with port 0 in the specification the one that the system chose.</summary>
    /// <exception cref="ArgumentException">There is no such listener.</exception>
    public IPEndPoint AddressOf(string listener) => _listeners.FirstOrDefault(one => one.State.Spec.Name == listener)?.Address
        ?? throw new ArgumentException($"There is no listener \"{listener}\".", nameof(listener));

    /// <summary>Reads certificates, listens everywhere, and only then takes connections in.</summary>
    /// <exception cref="IOException">A file or an address cannot be used; nothing is left open.</exception>
    public void Start() => StartWith([]);

    /// <summary>The sockets at which it listens.</summary>
    internal IEnumerable<Socket> ListeningSockets => Volatile.Read(ref _listeners).Select(listener => listener.Socket);

    /// <summary>The same, with sockets that listen already: those at the addresses of listeners are used, and taken out of the list.</summary>
    internal void StartWith(List<Socket> inherited)
    {
        _inherited = inherited;
        if (_state != RelayState.Created)
            throw new InvalidOperationException("A relay is started once.");
        var made = new List<RelayListener>();
        try
        {
            _identity = Spec.Identity is { } identity ? new IdentitySource(identity, _time, Tell) : null;
            foreach (ListenerSpec listener in Spec.Listeners)
                made.Add(Open(listener, Spec, _identity, null));
        }
        catch
        {
            made.ForEach(listener => listener.Dispose());
            _identity?.Dispose();
            throw;
        }

        _listeners = [.. made];
        _inherited = [];
        _state = RelayState.Running;
        _sweep = TimeProvider.System.CreateTimer(_ => Sweep(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        made.ForEach(listener => listener.Start());
    }

    /// <summary>
    /// Takes another specification. Connections that stand go on, but for those that the new policies refuse; listeners that stay keep their sockets.
    /// </summary>
    /// <exception cref="ConfigurationException">It has errors; nothing has changed.</exception>
    /// <exception cref="IOException">A file or an address cannot be used; nothing has changed.</exception>
    public async Task UpdateAsync(RelaySpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        Check(spec);
        if (_state != RelayState.Running)
            throw new InvalidOperationException("Only a running relay can be updated.");
        RelayListener[] before = _listeners;
        bool isSameIdentity = IsSame(Spec.Identity, spec.Identity);
        IdentitySource? identity = isSameIdentity ? _identity : spec.Identity is { } changed ? new IdentitySource(changed, _time, Tell) : null;
        var opened = new List<RelayListener>();
        var states = new List<(RelayListener Listener, ListenerState State)>();
        try
        {
            foreach (ListenerSpec listener in spec.Listeners)
            {
                if (before.FirstOrDefault(one => IsSameSocket(one.State.Spec, listener)) is { } kept)
                    states.Add((kept, new ListenerState(listener, spec, identity, kept.State, Tell, _time)));
                else
                    opened.Add(Open(listener, spec, identity, before.FirstOrDefault(one => one.State.Spec.Name == listener.Name)?.State));
            }
        }
        catch
        {
            opened.ForEach(listener => listener.Dispose());
            states.ForEach(pair => pair.State.Dispose());
            if (!isSameIdentity)
                identity?.Dispose();
            throw;
        }

        Apply(spec, identity, isSameIdentity, opened, states);
        foreach (RelayListener gone in before.Except(_listeners))
        {
            await gone.CloseAsync().ConfigureAwait(false);
            gone.Dispose();
        }
    }

    /// <summary>Stops: takes nothing more in, waits for the connections that stand as long as the limits say, and resets what is left then.</summary>
    /// <remarks>Called again while it waits, it waits too, and with <paramref name="now"/> cancelled ends the waiting of both.</remarks>
    /// <param name="now">When cancelled, waits no longer.</param>
    public async Task StopAsync(CancellationToken now = default)
    {
        if (_state is RelayState.Created or RelayState.Stopped)
            return;
        if (_state == RelayState.Running)
        {
            _state = RelayState.Draining;
            foreach (RelayListener listener in _listeners)
                await listener.CloseAsync(_isHandedOver).ConfigureAwait(false);

            // Not before: the last listener may still have had connections in its queue when the last connection of another ended.
            Volatile.Write(ref _isClosed, true);
            Interlocked.MemoryBarrier();
            if (_connections.IsEmpty)
                _stopped.TrySetResult();
        }

        try
        {
            await _stopped.Task.WaitAsync(Spec.Limits.DrainTimeout, now).ConfigureAwait(false);
        }
        catch (Exception late) when (late is TimeoutException or OperationCanceledException)
        {
            await _aborting.CancelAsync().ConfigureAwait(false);
            foreach (RelayConnection connection in _connections.Keys)
                connection.Abort(new RelayEnd(RelayReason.DrainDeadline, RelaySide.Relay));
            await _stopped.Task.ConfigureAwait(false);
        }

        _state = RelayState.Stopped;
    }

    /// <summary>Another process listens at the same sockets: what waits there is left to it.</summary>
    internal void HandedOver() => _isHandedOver = true;

    /// <summary>Stops without waiting for connections, and gives everything back.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        if (_sweep is not null)
            await _sweep.DisposeAsync().ConfigureAwait(false);
        foreach (RelayListener listener in _listeners)
            listener.Dispose();
        _identity?.Dispose();
        _meter.Dispose();
        _aborting.Dispose();
    }

    internal void Begin(RelayConnection connection)
    {
        _connections.TryAdd(connection, 0);

        // On the pool: what comes before the first wait, a handshake's cryptography with it, must not hold up the next connection.
        ThreadPool.UnsafeQueueUserWorkItem(static taken => _ = taken.RunAsync(), connection, preferLocal: false);
    }

    internal void Ended(RelayConnection connection, AccessRecord record)
    {
        _meter.Ended(record);
        _access?.Invoke(record);
        _connections.TryRemove(connection, out _);
        if (Volatile.Read(ref _isClosed) && _connections.IsEmpty)
            _stopped.TrySetResult();
    }

    internal AuthorizationDecision Decide(ConnectionFacts facts)
    {
        AuthorizationDecision decision = Volatile.Read(ref _authorizer).Decide(facts);
        if (!decision.IsAllowed)
            CountDenial(decision.Policy);
        if (decision.WouldDeny.Length > 0)
            _wouldDenials.AddOrUpdate(decision.WouldDeny, 1, static (_, count) => count + 1);
        return decision;
    }

    internal void CountDenial(string policy) => _denials.AddOrUpdate(policy, 1, static (_, count) => count + 1);

    internal void Tell(string line) => _log?.Invoke(line);

    /// <summary>Tells what would otherwise be told at every connection.</summary>
    internal void TellOnce(string line)
    {
        if (Interlocked.Exchange(ref _lastTold, line) != line)
            Tell(line);
    }

    private static void Check(RelaySpec spec)
    {
        if (RelayChecks.Check(spec) is { Count: > 0 } errors)
            throw new ConfigurationException(errors);
    }

    private static bool IsSame(IdentitySpec? a, IdentitySpec? b) => a == b || (a is not null && b is not null && a.Certificate == b.Certificate && a.Key == b.Key
        && a.Bundles.Count == b.Bundles.Count && a.Bundles.All(bundle => b.Bundles.TryGetValue(bundle.Key, out string? path) && path == bundle.Value));

    private static bool IsSameSocket(ListenerSpec a, ListenerSpec b) =>
        a.Name == b.Name && a.Listen.Equals(b.Listen) && (a.Original == OriginalDestination.Redirect) == (b.Original == OriginalDestination.Redirect);

    private RelayListener Open(ListenerSpec listener, RelaySpec spec, IdentitySource? identity, ListenerState? earlier)
    {
        var state = new ListenerState(listener, spec, identity, earlier, Tell, _time);
        try
        {
            return new RelayListener(this, state, Sockets.Inherited(listener, _inherited) ?? Sockets.Listen(listener, spec.HandOver), _counters.GetOrAdd(listener.Name, static _ => new ListenerCounters()));
        }
        catch
        {
            state.Dispose();
            throw;
        }
    }

    private void Apply(RelaySpec spec, IdentitySource? identity, bool isSameIdentity, List<RelayListener> opened,
        List<(RelayListener Listener, ListenerState State)> states)
    {
        var authorizer = new Authorizer(spec.Authorization);
        Volatile.Write(ref _authorizer, authorizer);
        foreach ((RelayListener listener, ListenerState state) in states)
            listener.Update(state);
        _listeners = [.. states.Select(pair => pair.Listener), .. opened];
        opened.ForEach(listener => listener.Start());
        Spec = spec;
        if (!isSameIdentity)
            _identity?.Dispose();
        _identity = identity;
        foreach (RelayConnection connection in _connections.Keys)
            connection.CheckPolicies(authorizer);
    }

    private void Sweep()
    {
        long nowMs = Environment.TickCount64;
        foreach (RelayConnection connection in _connections.Keys)
            connection.CheckIdle(nowMs);
    }
}
