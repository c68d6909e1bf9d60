using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>Services and endpoints as an API server of Kubernetes tells them: services and endpoint slices are listed once and then watched.</summary>
/// <remarks>
/// A failing server, and one that cannot be reached, leave in force what was said last; the status says so. Files of credentials are read anew
/// for each connection, tokens for each request. Nothing is written to the server: <c>list</c> and <c>watch</c> of <c>services</c> and
/// <c>endpointslices.discovery.k8s.io</c> are the permissions needed.
/// </remarks>
internal sealed class KubernetesSource : MeshSource, ObjectCollection.IOwner
{
    private readonly Func<ClusterAccess> _access;
    private readonly KubernetesTimings _timings;
    private readonly ObjectCollection[] _collections;
    private readonly SemaphoreSlim _signal = new(0, 1);
    private readonly Lock _gate = new();
    private readonly SourceBook _book = new();

    /// <summary>The objects of each collection that are in the book.</summary>
    private readonly Dictionary<ObjectCollection, HashSet<string>> _known;
    private bool _isDirty;

    /// <summary>Makes the source; connects to nothing yet.</summary>
    /// <param name="spec">Where the server is, by one of <see cref="MeshSourceSpec.Kubeconfig"/> and <see cref="MeshSourceSpec.Api"/>.</param>
    /// <param name="time">Clock of the status.</param>
    public KubernetesSource(MeshSourceSpec spec, TimeProvider time)
        : this(spec, time, new KubernetesTimings())
    {
    }

    internal KubernetesSource(MeshSourceSpec spec, TimeProvider time, KubernetesTimings timings)
        : base(NameOf(spec), time)
    {
        _timings = timings;
        _access = () => AccessOf(spec);
        IEnumerable<string> places = spec.Namespaces.Count > 0 ? spec.Namespaces.Select(name => $"namespaces/{name}/") : [""];
        _collections = [.. places.SelectMany(place => new[]
        {
            new ObjectCollection($"/api/v1/{place}services", "Service", timings, this),
            new ObjectCollection($"/apis/discovery.k8s.io/v1/{place}endpointslices", "EndpointSlice", timings, this),
        })];
        _known = _collections.ToDictionary(collection => collection, _ => new HashSet<string>(StringComparer.Ordinal));
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync().ConfigureAwait(false);
        _signal.Dispose();
    }

    /// <inheritdoc/>
    protected override Task RunAsync(CancellationToken ending) => Task.WhenAll(_collections.Select(collection => collection.RunAsync(ending)).Append(PublishAsync(ending)));

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

            Heard(Problem());
        }
    }

    void ObjectCollection.IOwner.Failed(ObjectCollection collection, string problem)
    {
        lock (_gate)
        {
            collection.Problem = problem;
            Failed(Problem());
        }
    }

    private string Problem() => string.Join("; ", _collections.Select(collection => collection.Problem).Where(problem => problem.Length > 0).Distinct());

    private static string NameOf(MeshSourceSpec spec) =>
        spec.Kubeconfig.Length > 0 ? $"kubernetes {Path.GetFileName(spec.Kubeconfig)}{(spec.Context.Length > 0 ? $" {spec.Context}" : "")}"
            : $"kubernetes {spec.Api}";

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
    private async Task PublishAsync(CancellationToken ending)
    {
        while (true)
        {
            await _signal.WaitAsync(ending).ConfigureAwait(false);
            if (Snapshot.Revision > 0)
            {
                await Task.Delay(_timings.Gather, ending).ConfigureAwait(false);
            }

            if (Array.TrueForAll(_collections, collection => collection.IsListed))
            {
                Tell();
            }
        }
    }

    private void Tell()
    {
        string problem;
        lock (_gate)
        {
            _isDirty = false;
        }

        foreach (ObjectCollection collection in _collections)
        {
            Take(collection);
        }

        lock (_gate)
        {
            problem = Problem();
        }

        Publish(_book.Services, _book.Endpoints, problem, _book.Problems);
    }

    /// <summary>Takes down what has changed in a collection.</summary>
    private void Take(ObjectCollection collection)
    {
        (IReadOnlyDictionary<string, ObjectReader?> changes, bool areAll) = collection.TakeChanges();
        HashSet<string> known = _known[collection];
        string[] gone = areAll ? [.. known.Where(key => !changes.ContainsKey(key))] : [];
        foreach ((string key, ObjectReader? read) in changes.Concat(gone.Select(key => KeyValuePair.Create(key, default(ObjectReader)))))
        {
            if (read is null)
            {
                known.Remove(key);
                _book.Remove($"{collection.Kind} {key}");
            }
            else
            {
                known.Add(key);
                _book.Put($"{collection.Kind} {key}", read.Services, read.Endpoints, read.Problems);
            }
        }
    }
}
