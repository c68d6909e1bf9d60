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

    /// <summary>The assignments that the clusters name, in order; null before the first clusters have come.</summary>
    private string[]? _wanted;
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
            if (Snapshot.Revision == 0 && _wanted is not null && await Task.WhenAny(reading, Task.Delay(_fetch, Time, ending)).ConfigureAwait(false) != reading)
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
        Dictionary<string, XdsCluster> clusters = ReadAll(response, XdsCluster.TypeUrl, value => XdsCluster.Read(value), cluster => cluster.Name, "cluster");
        _wanted = [.. clusters.Values.Select(cluster => cluster.Assignment).OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        _assignments = _wanted.Where(_assignments.ContainsKey).ToDictionary(name => name, name => _assignments[name], StringComparer.Ordinal);
        _tables.Take([.. clusters.Values.OrderBy(cluster => cluster.Name, StringComparer.Ordinal)], _assignments);
        return true;
    }

    private bool TakeAssignments(XdsResponse response)
    {
        Dictionary<string, XdsAssignment> come = ReadAll(response, XdsAssignment.TypeUrl, value => XdsAssignment.Read(value), assignment => assignment.Name, "assignment");

        // A server may send more than was asked for; that is of no use, and no error.
        string[] changed = [.. come.Values.Where(assignment => _assignmentRequests.IsWanted(assignment.Name)
            && !(_assignments.TryGetValue(assignment.Name, out XdsAssignment? known) && known.Endpoints.SequenceEqual(assignment.Endpoints))).Select(assignment => assignment.Name)];
        foreach (string name in changed)
        {
            _assignments[name] = come[name];
        }

        _tables.Take(changed, _assignments);
        return changed.Length > 0;
    }

    /// <summary>Reads the resources of an answer, which must be of one type and have a name each.</summary>
    private static Dictionary<string, T> ReadAll<T>(XdsResponse response, string typeUrl, Func<byte[], T> read, Func<T, string> nameOf, string what)
    {
        var all = new Dictionary<string, T>(StringComparer.Ordinal);
        foreach ((string type, byte[] value) in response.Resources)
        {
            if (type != typeUrl)
            {
                throw new InvalidDataException($"a resource of type \"{type}\" is among those of {typeUrl}");
            }

            T resource = read(value);
            if (!all.TryAdd(nameOf(resource), resource))
            {
                throw new InvalidDataException($"{what} {nameOf(resource)} is there twice");
            }
        }

        return all;
    }

    private async Task AskForEndpointsAsync(GrpcStream stream, CancellationToken ending)
    {
        if (_assignmentRequests.Change(_wanted ?? []) is { } request)
        {
            await stream.WriteAsync(request, ending).ConfigureAwait(false);
        }
    }

    private bool IsWhole() => _wanted is not null && _wanted.All(_assignments.ContainsKey);

    private void Tell() => Publish(_tables.Services, _tables.Endpoints, _refusal, _tables.LeftOut);

    /// <summary>Who asks (envoy.config.core.v3.Node).</summary>
    private ProtobufWriter Node() => new ProtobufWriter().Text(1, _spec.Node.Length > 0 ? _spec.Node : Environment.MachineName).Text(2, _spec.NodeCluster).Text(6, "dataplane");
}
