using System.Net;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>Services whose endpoints are found by names of the domain name system: A and AAAA, or SRV with ports, weights and priorities.</summary>
/// <remarks>
/// A name is looked up again when its answer has run out, at least every five minutes and at most once a second. A look-up that fails (no answer, SERVFAIL, REFUSED, what cannot be read)
/// changes nothing and is tried again after one to ten seconds; an answer that there is nothing, or no such name, empties the service.
/// </remarks>
internal sealed class DnsSource : IMeshSource
{
    private const uint MinSeconds = 1, MaxSeconds = 300, MaxRetrySeconds = 10;

    private readonly State[] _states;
    private readonly DnsLookup _lookup;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private Task _running = Task.CompletedTask;
    private Action _changed = () => { };
    private volatile SourceSnapshot _snapshot = SourceSnapshot.Empty;
    private volatile SourceStatus _status;

    /// <summary>Makes the source; asks nobody yet.</summary>
    /// <param name="spec">What to look up, and whom to ask.</param>
    /// <param name="time">Clock.</param>
    public DnsSource(MeshSourceSpec spec, TimeProvider time)
        : this(spec, time, TimeSpan.FromSeconds(2))
    {
    }

    internal DnsSource(MeshSourceSpec spec, TimeProvider time, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _states = [.. spec.Lookups.Select(lookup => new State(lookup))];
        _lookup = new DnsLookup(() => spec.Servers.Count > 0 ? spec.Servers : ServersOfHost(), patience);
        Name = $"dns {string.Join(' ', spec.Lookups.Select(lookup => lookup.Name).Distinct())}";
        _status = new SourceStatus(Name, 0, 0, 0, null, "has not been heard yet");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public SourceSnapshot Snapshot => _snapshot;

    /// <inheritdoc/>
    public SourceStatus Status => _status;

    /// <inheritdoc/>
    public Task StartAsync(Action changed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(changed);
        _changed = changed;
        _running = Task.WhenAll(_states.Select(state => Task.Run(() => FollowAsync(state), CancellationToken.None)));
        return _first.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _ending.Dispose();
    }

    private async Task FollowAsync(State state)
    {
        uint retry = MinSeconds;
        while (!_ending.IsCancellationRequested)
        {
            uint wait;
            try
            {
                (IReadOnlyList<DnsLookup.Found> found, uint seconds) = await _lookup.FindAsync(state.Spec.Name, _ending.Token).ConfigureAwait(false);
                (wait, retry) = (Math.Clamp(seconds, MinSeconds, MaxSeconds), MinSeconds);
                Heard(state, [.. found.Distinct().OrderBy(one => one.Address.ToString(), StringComparer.Ordinal).ThenBy(one => one.Port)], "");
            }
            catch (IOException failed)
            {
                (wait, retry) = (retry, Math.Min(retry * 2, MaxRetrySeconds));
                Heard(state, null, $"{state.Spec.Name}: {failed.Message}");
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromSeconds(wait), _time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Heard(State state, DnsLookup.Found[]? found, string problem)
    {
        bool isChanged;
        lock (_gate)
        {
            isChanged = found is not null && (state.Found is null || !found.AsSpan().SequenceEqual(state.Found));
            (state.Found, state.Problem, state.IsTried) = (found ?? state.Found, problem, true);
            bool isFirst = _snapshot.Revision == 0;
            isChanged = (isChanged || isFirst) && Array.TrueForAll(_states, one => one.IsTried);
            if (isChanged)
            {
                Tell();
            }

            string problems = string.Join("; ", _states.Select(one => one.Problem).Where(text => text.Length > 0).Distinct());
            _status = new SourceStatus(Name, _snapshot.Revision, _snapshot.Services.Count, _snapshot.Endpoints.Count, found is null ? _status.LastHeard : _time.GetUtcNow(), problems);
        }

        if (isChanged)
        {
            _first.TrySetResult();
            _changed();
        }
    }

    private void Tell()
    {
        var services = new List<MeshServiceSpec>();
        var endpoints = new List<MeshEndpointSpec>();
        foreach (State state in _states)
        {
            MeshLookupSpec spec = state.Spec;
            if (spec.Port != 0 && !services.Exists(service => service.Name == spec.Service && service.Namespace == spec.Namespace))
            {
                string target = spec.TargetPort != 0 ? spec.TargetPort.ToString(System.Globalization.CultureInfo.InvariantCulture) : "";
                services.Add(new MeshServiceSpec
                {
                    Name = spec.Service,
                    Namespace = spec.Namespace,
                    Ports = [new MeshPortSpec { Port = spec.Port, TargetPort = target, Protocol = spec.Protocol }],
                });
            }

            endpoints.AddRange((state.Found ?? []).Select(found => new MeshEndpointSpec
            {
                Address = found.Address,
                Name = spec.Name,
                Namespace = spec.Namespace,
                Service = spec.Service,
                Weight = found.Weight,
                Ports = found.Port == 0 ? new Dictionary<string, ushort>() : new Dictionary<string, ushort> { [""] = found.Port },
            }));
        }

        _snapshot = new SourceSnapshot { Revision = _snapshot.Revision + 1, Services = services, Endpoints = endpoints };
    }

    /// <summary>Read for each look-up: hosts get others as they move between networks.</summary>
    private static IPEndPoint[] ServersOfHost()
    {
        try
        {
            return [.. File.ReadLines("/etc/resolv.conf").Select(line => line.Split(' ', '\t')).Where(words => words.Length > 1 && words[0] == "nameserver")
                .Select(words => IPAddress.TryParse(words[1], out IPAddress? address) ? new IPEndPoint(address, 53) : null).Where(server => server is not null).Select(server => server!)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private sealed class State(MeshLookupSpec spec)
    {
        public MeshLookupSpec Spec { get; } = spec;

        public DnsLookup.Found[]? Found { get; set; }

        public string Problem { get; set; } = "";

        public bool IsTried { get; set; }
    }
}
