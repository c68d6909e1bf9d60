using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>Services and endpoints as an API server of Kubernetes tells them: services and endpoint slices are listed once and then watched.</summary>
/// <remarks>
/// A failing server, and one that cannot be reached, leave in force what was said last; the status says so. Files of credentials are read anew
/// for each connection, tokens for each request. Nothing is written to the server: <c>list</c> and <c>watch</c> of <c>services</c> and
/// <c>endpointslices.discovery.k8s.io</c> are the permissions needed.
/// </remarks>
internal sealed class KubernetesSource : IMeshSource, ObjectCollection.IOwner
{
    private readonly Func<ClusterAccess> _access;
    private readonly KubernetesTimings _timings;
    private readonly TimeProvider _time;
    private readonly ObjectCollection[] _collections;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _signal = new(0, 1);
    private readonly Lock _gate = new();
    private Task _running = Task.CompletedTask;
    private Action _changed = () => { };
    private bool _isDirty;
    private volatile SourceSnapshot _snapshot = SourceSnapshot.Empty;
    private volatile SourceStatus _status;

    /// <summary>Makes the source; connects to nothing yet.</summary>
    /// <param name="spec">Where the server is, by one of <see cref="MeshSourceSpec.Kubeconfig"/> and <see cref="MeshSourceSpec.Api"/>.</param>
    /// <param name="time">Clock of the status.</param>
    public KubernetesSource(MeshSourceSpec spec, TimeProvider time)
        : this(spec, time, new KubernetesTimings())
    {
    }

    internal KubernetesSource(MeshSourceSpec spec, TimeProvider time, KubernetesTimings timings)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(time);
        (_time, _timings) = (time, timings);
        _access = () => AccessOf(spec);
        Name = spec.Kubeconfig.Length > 0 ? $"kubernetes {Path.GetFileName(spec.Kubeconfig)}{(spec.Context.Length > 0 ? $" {spec.Context}" : "")}" : $"kubernetes {spec.Api}";
        IEnumerable<string> places = spec.Namespaces.Count > 0 ? spec.Namespaces.Select(name => $"namespaces/{name}/") : [""];
        _collections = [.. places.SelectMany(place => new[]
        {
            new ObjectCollection($"/api/v1/{place}services", "Service", timings, this),
            new ObjectCollection($"/apis/discovery.k8s.io/v1/{place}endpointslices", "EndpointSlice", timings, this),
        })];
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
        _running = Task.WhenAll(_collections.Select(collection => Task.Run(() => collection.RunAsync(_ending.Token), CancellationToken.None))
            .Append(Task.Run(PublishAsync, CancellationToken.None)));
        return _first.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _ending.Dispose();
        _signal.Dispose();
    }

    ClusterAccess ObjectCollection.IOwner.Access() => _access();

    void ObjectCollection.IOwner.Heard(ObjectCollection collection, bool isChanged)
    {
        lock (_gate)
        {
            collection.Problem = "";
            _isDirty |= isChanged;
            if (_isDirty && _signal.CurrentCount == 0)
            {
                _signal.Release();
            }

            _status = _status with { LastHeard = _time.GetUtcNow(), Problem = Problem() };
        }
    }

    void ObjectCollection.IOwner.Failed(ObjectCollection collection, string problem)
    {
        lock (_gate)
        {
            collection.Problem = problem;
            _status = _status with { Problem = Problem() };
        }

        _first.TrySetResult();
    }

    private string Problem() => string.Join("; ", _collections.Select(collection => collection.Problem).Where(problem => problem.Length > 0).Distinct());

    private static ClusterAccess AccessOf(MeshSourceSpec spec)
    {
        if (spec.Kubeconfig.Length > 0)
        {
            return KubeConfig.Read(spec.Kubeconfig, spec.Context);
        }

        return spec.Api == MeshSourceSpec.InCluster ? ClusterAccess.OfPod() : new ClusterAccess
        {
            Server = new Uri(spec.Api),
            Authorities = spec.CertificateAuthority.Length > 0 ? Identity.PemFiles.ReadAuthorities(spec.CertificateAuthority) : null,
            TokenFile = spec.TokenFile,
        };
    }

    /// <summary>Tells changes, once all collections have been listed: services without endpoints, only because those come later, are never told.</summary>
    private async Task PublishAsync()
    {
        while (true)
        {
            try
            {
                await _signal.WaitAsync(_ending.Token).ConfigureAwait(false);
                if (_snapshot.Revision > 0)
                {
                    await Task.Delay(_timings.Gather, _ending.Token).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            if (Array.TrueForAll(_collections, collection => collection.IsListed))
            {
                Publish();
            }
        }
    }

    private void Publish()
    {
        var services = new List<MeshServiceSpec>();
        var endpoints = new List<MeshEndpointSpec>();
        var leftOut = new List<string>();
        lock (_gate)
        {
            _isDirty = false;
        }

        foreach (ObjectReader read in _collections.SelectMany(collection => collection.ToArray()))
        {
            services.AddRange(read.Services);
            endpoints.AddRange(read.Endpoints);
            leftOut.AddRange(read.Problems);
        }

        lock (_gate)
        {
            _snapshot = new SourceSnapshot { Revision = _snapshot.Revision + 1, Services = services, Endpoints = endpoints };
            _status = new SourceStatus(Name, _snapshot.Revision, services.Count, endpoints.Count, _time.GetUtcNow(), Problem()) { LeftOut = leftOut };
        }

        _first.TrySetResult();
        _changed();
    }
}
