using System.Text.Json;
using Dataplane.Mesh.Registration;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>Services and endpoints from etcd: everything below a prefix is read once and then watched.</summary>
/// <remarks>
/// <c>PREFIXservices/NAMESPACE/NAME</c> holds a <see cref="ServiceRegistration"/>, <c>PREFIXendpoints/NAMESPACE/SERVICE/ID</c> an <see cref="EndpointRegistration"/>,
/// both as JSON; who wants an endpoint to end with its process gives the key a lease. When a member is lost or ends the watch, another is asked, everything is read
/// again, and what was known stays in force until then. A value that cannot be read is left out and said.
/// </remarks>
internal sealed class EtcdSource : IMeshSource
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(300);

    private readonly IReadOnlyList<string> _members;
    private readonly string _prefix;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, byte[]> _values = new(StringComparer.Ordinal);
    private Task _running = Task.CompletedTask;
    private Action _changed = () => { };
    private volatile SourceSnapshot _snapshot = SourceSnapshot.Empty;
    private volatile SourceStatus _status;

    /// <summary>Makes the source; connects to nothing yet.</summary>
    /// <param name="members">Addresses of the members, asked in turn.</param>
    /// <param name="prefix">What the keys begin with.</param>
    /// <param name="time">Clock.</param>
    public EtcdSource(IReadOnlyList<string> members, string prefix, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(members);
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        ArgumentNullException.ThrowIfNull(time);
        (_members, _prefix, _time) = (members, prefix.EndsWith('/') ? prefix : prefix + "/", time);
        Name = $"etcd {_prefix}";
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
        _running = Task.Run(RunAsync, CancellationToken.None);
        return _first.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _ending.Dispose();
    }

    private async Task RunAsync()
    {
        for (int turn = 0; !_ending.IsCancellationRequested; turn++)
        {
            string member = _members[turn % _members.Count];
            string problem = $"{member} ended the watch";
            try
            {
                using var client = new EtcdClient(new Uri(member));
                await FollowAsync(client).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException or JsonException or FormatException or KeyNotFoundException or InvalidOperationException)
            {
                problem = $"{member}: {exception.Message}";
            }

            _status = _status with { Problem = problem };
            _first.TrySetResult();
            try
            {
                await Task.Delay(s_between, _time, _ending.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Reads everything and then follows the changes, until the member does not tell them any more.</summary>
    private async Task FollowAsync(EtcdClient client)
    {
        (Dictionary<string, byte[]> values, long revision) = await client.RangeAsync(_prefix, _ending.Token).ConfigureAwait(false);
        bool isSame = _snapshot.Revision > 0 && values.Count == _values.Count && values.All(pair => _values.TryGetValue(pair.Key, out byte[]? known) && known.AsSpan().SequenceEqual(pair.Value));
        _values.Clear();
        foreach ((string key, byte[] value) in values)
        {
            _values[key] = value;
        }

        Publish(isSame);
        _first.TrySetResult();
        await foreach (IReadOnlyList<EtcdClient.Change> changes in client.WatchAsync(_prefix, revision + 1, _ending.Token).ConfigureAwait(false))
        {
            foreach (EtcdClient.Change change in changes)
            {
                if (change.Value is null)
                {
                    _values.Remove(change.Key);
                }
                else
                {
                    _values[change.Key] = change.Value;
                }
            }

            Publish(isSame: changes.Count == 0);
        }
    }

    private void Publish(bool isSame)
    {
        if (isSame)
        {
            _status = _status with { LastHeard = _time.GetUtcNow(), Problem = "" };
            return;
        }

        var services = new List<MeshServiceSpec>();
        var endpoints = new List<MeshEndpointSpec>();
        var problems = new List<string>();
        foreach ((string key, byte[] value) in _values.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            try
            {
                if (Read(key[_prefix.Length..].Split('/'), value, services, endpoints) is { } problem)
                {
                    problems.Add($"{key}: {problem}");
                }
            }
            catch (JsonException exception)
            {
                problems.Add($"{key}: {exception.Message}");
            }
        }

        _snapshot = new SourceSnapshot { Revision = _snapshot.Revision + 1, Services = services, Endpoints = endpoints };
        _status = new SourceStatus(Name, _snapshot.Revision, services.Count, endpoints.Count, _time.GetUtcNow(), string.Join("; ", problems.Take(5)));
        _changed();
    }

    private static string? Read(string[] parts, byte[] value, List<MeshServiceSpec> services, List<MeshEndpointSpec> endpoints)
    {
        switch (parts)
        {
            case ["services", var space, var name]:
                ServiceRegistration? service = JsonSerializer.Deserialize(value, MeshJson.Default.ServiceRegistration);
                string? problem = RegistrationConversion.ProblemOfName("namespace", space) ?? RegistrationConversion.ProblemOfName("service", name)
                    ?? (service is null ? "is null" : RegistrationConversion.ProblemOf(service));
                if (problem is null)
                {
                    services.Add(RegistrationConversion.ToSpec(space, name, service!));
                }

                return problem;
            case ["endpoints", var space, var name, var id]:
                EndpointRegistration? endpoint = JsonSerializer.Deserialize(value, MeshJson.Default.EndpointRegistration);
                problem = RegistrationConversion.ProblemOfName("namespace", space) ?? RegistrationConversion.ProblemOfName("service", name)
                    ?? (endpoint is null ? "is null" : RegistrationConversion.ProblemOf(endpoint));
                if (problem is null)
                {
                    endpoints.Add(RegistrationConversion.ToSpec(space, name, id, endpoint!));
                }

                return problem;
            default:
                return "is neither services/NAMESPACE/NAME nor endpoints/NAMESPACE/SERVICE/ID";
        }
    }
}
