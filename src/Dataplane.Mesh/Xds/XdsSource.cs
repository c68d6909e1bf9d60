using System.Security.Authentication;
using System.Security.Cryptography;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Xds;

/// <summary>Services and endpoints as a control plane tells them by xDS: clusters and their endpoints on one stream of the aggregated discovery service (ADS), state of the world.</summary>
/// <remarks>
/// Clusters are asked for all, or by name; what they name is asked for as endpoints. An answer is taken whole or refused whole, with the reason to the server, and what was
/// accepted last stays. A cluster that an answer leaves out is gone, endpoints that one leaves out stay: so the protocol has it. When the stream is lost the next server is
/// asked with growing delays, and what was known stays in force until it says something else.
/// </remarks>
internal sealed class XdsSource : MeshSource
{
    /// <summary>Of one message. 250,000 endpoints are some 20 MB.</summary>
    private const int MaxMessageBytes = 256 << 20;

    private const string Method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

    private static readonly TimeSpan s_minDelay = TimeSpan.FromMilliseconds(200), s_maxDelay = TimeSpan.FromSeconds(3);

    private readonly MeshSourceSpec _spec;
    private readonly TimeSpan _fetch;
    private readonly XdsSubscription _clusterRequests = new(XdsCluster.TypeUrl);
    private readonly XdsSubscription _assignmentRequests = new(XdsAssignment.TypeUrl);
    private readonly XdsTables _tables = new();
    private SortedDictionary<string, XdsCluster>? _clusters;
    private Dictionary<string, XdsAssignment> _assignments = new(StringComparer.Ordinal);
    private string _refusal = "";
    private int _failures;

    /// <summary>Makes the source; connects to nothing yet.</summary>
    /// <param name="spec">Where the servers are, and what to ask them.</param>
    /// <param name="time">Clock.</param>
    public XdsSource(MeshSourceSpec spec, TimeProvider time)
        : this(spec, time, TimeSpan.FromSeconds(15))
    {
    }

    /// <param name="spec">Where the servers are, and what to ask them.</param>
    /// <param name="time">Clock.</param>
    /// <param name="fetch">How long the first endpoints of all clusters are waited for: servers say nothing of what they do not have.</param>
    internal XdsSource(MeshSourceSpec spec, TimeProvider time, TimeSpan fetch)
        : base($"xds {string.Join(' ', spec.Endpoints)}", time) => (_spec, _fetch) = (spec, fetch);

    /// <inheritdoc/>
    protected override async Task RunAsync(CancellationToken ending)
    {
        for (int turn = 0; ; turn++)
        {
            string server = _spec.Endpoints[turn % _spec.Endpoints.Count];
            try
            {
                await FollowAsync(server, ending).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is IOException or InvalidDataException or HttpRequestException or AuthenticationException or CryptographicException
                or UnauthorizedAccessException or OperationCanceledException)
            {
                Exception inner = exception.GetBaseException();
                Failed($"{server}: {exception.Message}{(ReferenceEquals(inner, exception) ? "" : $" ({inner.Message})")}");
            }

            // Half of the delay is left to chance, so that gateways do not come at once.
            double delayMs = Math.Min(s_maxDelay.TotalMilliseconds, s_minDelay.TotalMilliseconds * Math.Pow(2, Math.Min(_failures++, 20)));
            await Task.Delay(TimeSpan.FromMilliseconds(delayMs * (0.5 + (Random.Shared.NextDouble() / 2))), Time, ending).ConfigureAwait(false);
        }
    }

    /// <summary>Follows one stream until it ends, which is always a failure: servers keep it open.</summary>
    private async Task FollowAsync(string server, CancellationToken ending)
    {
        using HttpClient http = XdsAccess.Open(_spec);
        await using var stream = new GrpcStream(http, new Uri(server.TrimEnd('/') + Method), MaxMessageBytes, ending);
        _clusterRequests.BeginStream();
        _assignmentRequests.BeginStream();
        await stream.WriteAsync(_clusterRequests.Ask(_spec.Clusters, Node()), ending).ConfigureAwait(false);
        await AskForEndpointsAsync(stream, ending).ConfigureAwait(false);
        while (true)
        {
            Task<byte[]?> reading = stream.ReadAsync(ending);
            if (Snapshot.Revision == 0 && _clusters is not null && await Task.WhenAny(reading, Task.Delay(_fetch, Time, ending)).ConfigureAwait(false) != reading)
            {
                Tell();
            }

            byte[] message = await reading.ConfigureAwait(false) ?? throw new IOException("the server ended the stream");
            var response = XdsResponse.Read(message);
            byte[]? answer = Take(response);
            _failures = 0;
            if (answer is not null)
            {
                await stream.WriteAsync(answer, ending).ConfigureAwait(false);
                await AskForEndpointsAsync(stream, ending).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Takes an answer, or leaves all as it is.</summary>
    /// <returns>What the server is told; null when it answers what was never asked.</returns>
    private byte[]? Take(XdsResponse response)
    {
        XdsSubscription? asked = response.TypeUrl == XdsCluster.TypeUrl ? _clusterRequests : response.TypeUrl == XdsAssignment.TypeUrl ? _assignmentRequests : null;
        if (asked is null)
        {
            return null;
        }

        try
        {
            bool isChanged = asked == _clusterRequests ? TakeClusters(response) : TakeAssignments(response);
            _refusal = "";
            if (isChanged && (Snapshot.Revision > 0 || IsWhole()))
            {
                Tell();
            }
            else
            {
                Heard();
            }

            return asked.Accept(response);
        }
        catch (InvalidDataException wrong)
        {
            _refusal = $"version {response.Version} of {response.TypeUrl[(response.TypeUrl.LastIndexOf('.') + 1)..]} was refused: {wrong.Message}";
            Failed(_refusal);
            return asked.Refuse(response, wrong.Message);
        }
    }

    private bool TakeClusters(XdsResponse response)
    {
        var clusters = new SortedDictionary<string, XdsCluster>(StringComparer.Ordinal);
        foreach ((string type, byte[] value) in response.Resources)
        {
            Demand(type, XdsCluster.TypeUrl);
            var cluster = XdsCluster.Read(value);
            if (!clusters.TryAdd(cluster.Name, cluster))
            {
                throw new InvalidDataException($"cluster {cluster.Name} is there twice");
            }
        }

        _clusters = clusters;
        HashSet<string> wanted = [.. WantedAssignments()];
        _assignments = _assignments.Where(pair => wanted.Contains(pair.Key)).ToDictionary(StringComparer.Ordinal);
        return true;
    }

    private bool TakeAssignments(XdsResponse response)
    {
        var come = new Dictionary<string, XdsAssignment>(StringComparer.Ordinal);
        foreach ((string type, byte[] value) in response.Resources)
        {
            Demand(type, XdsAssignment.TypeUrl);
            var assignment = XdsAssignment.Read(value);
            if (!come.TryAdd(assignment.Name, assignment))
            {
                throw new InvalidDataException($"endpoints of {assignment.Name} are there twice");
            }
        }

        // A server may send more than was asked for; that is of no use, and no error.
        bool isChanged = false;
        foreach (string name in _assignmentRequests.Names)
        {
            if (come.TryGetValue(name, out XdsAssignment? assignment) && !(_assignments.TryGetValue(name, out XdsAssignment? known) && known.Endpoints.SequenceEqual(assignment.Endpoints)))
            {
                _assignments[name] = assignment;
                isChanged = true;
            }
        }

        return isChanged;
    }

    private static void Demand(string type, string wanted)
    {
        if (type != wanted)
        {
            throw new InvalidDataException($"a resource of type \"{type}\" is among those of {wanted}");
        }
    }

    private async Task AskForEndpointsAsync(GrpcStream stream, CancellationToken ending)
    {
        if (_assignmentRequests.Change([.. WantedAssignments()]) is { } request)
        {
            await stream.WriteAsync(request, ending).ConfigureAwait(false);
        }
    }

    private IEnumerable<string> WantedAssignments() => (_clusters?.Values ?? Enumerable.Empty<XdsCluster>()).Where(cluster => cluster.Assignment is not null)
        .Select(cluster => cluster.Assignment!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    private bool IsWhole() => _clusters is not null && WantedAssignments().All(_assignments.ContainsKey);

    private void Tell()
    {
        (var services, var endpoints, var leftOut) = _tables.Make(_clusters!.Values, _assignments);
        Publish(services, endpoints, _refusal, leftOut);
    }

    /// <summary>Who asks (envoy.config.core.v3.Node).</summary>
    private ProtobufWriter Node() => new ProtobufWriter().Text(1, _spec.Node.Length > 0 ? _spec.Node : Environment.MachineName).Text(2, _spec.NodeCluster).Text(6, "dataplane");
}
