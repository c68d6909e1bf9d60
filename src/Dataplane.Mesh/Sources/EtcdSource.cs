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
internal sealed class EtcdSource : MeshSource
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(300);

    private readonly IReadOnlyList<string> _members;
    private readonly string _prefix;
    private readonly Dictionary<string, byte[]> _values = new(StringComparer.Ordinal);

    /// <summary>Makes the source; connects to nothing yet.</summary>
    /// <param name="members">Addresses of the members, asked in turn.</param>
    /// <param name="prefix">What the keys begin with.</param>
    /// <param name="time">Clock.</param>
    public EtcdSource(IReadOnlyList<string> members, string prefix, TimeProvider time)
        : base($"etcd {WithSlash(prefix)}", time)
    {
        ArgumentNullException.ThrowIfNull(members);
        (_members, _prefix) = (members, WithSlash(prefix));
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(CancellationToken ending)
    {
        for (int turn = 0; ; turn++)
        {
            string member = _members[turn % _members.Count];
            string problem = $"{member} ended the watch";
            try
            {
                using var client = new EtcdClient(new Uri(member));
                await FollowAsync(client, ending).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException or JsonException
                or FormatException or KeyNotFoundException or InvalidOperationException)
            {
                problem = $"{member}: {exception.Message}";
            }

            Failed(problem);
            await Task.Delay(s_between, Time, ending).ConfigureAwait(false);
        }
    }

    /// <summary>Reads everything and then follows the changes, until the member does not tell them any more.</summary>
    private async Task FollowAsync(EtcdClient client, CancellationToken ending)
    {
        (Dictionary<string, byte[]> values, long revision) = await client.RangeAsync(_prefix, ending).ConfigureAwait(false);
        bool isSame = Snapshot.Revision > 0 && values.Count == _values.Count && values.All(pair => _values.TryGetValue(pair.Key, out byte[]? known) && known.AsSpan().SequenceEqual(pair.Value));
        _values.Clear();
        foreach ((string key, byte[] value) in values)
        {
            _values[key] = value;
        }

        Tell(isSame);
        await foreach (IReadOnlyList<EtcdClient.Change> changes in client.WatchAsync(_prefix, revision + 1, ending).ConfigureAwait(false))
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

            Tell(isSame: changes.Count == 0);
        }
    }

    private void Tell(bool isSame)
    {
        if (isSame)
        {
            Heard();
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

        Publish(services, endpoints, string.Join("; ", problems.Take(5)));
    }

    private static string WithSlash(string prefix)
    {
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        return prefix.EndsWith('/') ? prefix : prefix + "/";
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
