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
    private readonly SourceBook _book = new();

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
                or FormatException or KeyNotFoundException or InvalidOperationException or InvalidDataException)
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
        EtcdClient.Change[] missed = [.. _values.Keys.Where(key => !values.ContainsKey(key)).Select(key => new EtcdClient.Change(key, null)),
            .. values.Where(pair => !IsKnown(pair.Key, pair.Value)).Select(pair => new EtcdClient.Change(pair.Key, pair.Value))];
        Tell(missed, isSame: Snapshot.Revision > 0 && missed.Length == 0);
        await foreach (IReadOnlyList<EtcdClient.Change> changes in client.WatchAsync(_prefix, revision + 1, ending).ConfigureAwait(false))
        {
            Tell(changes, isSame: changes.Count == 0);
        }
    }

    private bool IsKnown(string key, byte[] value) => _values.TryGetValue(key, out byte[]? known) && known.AsSpan().SequenceEqual(value);

    private void Tell(IReadOnlyList<EtcdClient.Change> changes, bool isSame)
    {
        if (isSame)
        {
            Heard();
            return;
        }

        foreach (EtcdClient.Change change in changes)
        {
            if (change.Value is null)
            {
                _values.Remove(change.Key);
                _book.Remove(change.Key);
            }
            else
            {
                _values[change.Key] = change.Value;
                Take(change.Key, change.Value);
            }
        }

        Publish(_book.Services, _book.Endpoints, string.Join("; ", _book.Problems.Take(5)));
    }

    private void Take(string key, byte[] value)
    {
        var services = new List<MeshServiceSpec>();
        var endpoints = new List<MeshEndpointSpec>();
        string? problem;
        try
        {
            problem = Read(key[_prefix.Length..].Split('/'), value, services, endpoints);
        }
        catch (JsonException exception)
        {
            problem = exception.Message;
        }

        _book.Put(key, services, endpoints, problem is null ? null : [$"{key}: {problem}"]);
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
