using System.Globalization;
using System.Text.RegularExpressions;
using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Mesh.Compose;
using Dataplane.Mesh.Configuration;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh;

/// <summary>A mesh at work: keeps the sources, and makes engine configurations of a configuration with a section <c>mesh</c> and what the sources say.</summary>
/// <remarks>All members may be called by any thread.</remarks>
/// <example><code>
/// await using var mesh = new MeshRuntime(TimeProvider.System);
/// await using var engine = new DataplaneEngine(await mesh.StartAsync(spec, meshSpec));
/// mesh.Changed += () => engine.UpdateAsync(mesh.Expand(spec, meshSpec));
/// </code></example>
public sealed partial class MeshRuntime : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly Func<MeshSourceSpec, TimeProvider, IMeshSource> _create;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, IMeshSource> _sources = new(StringComparer.Ordinal);
    private IReadOnlyList<string> _order = [];
    private (ConfigNode? Node, MeshSpec? Spec, (string Name, SourceSnapshot Snapshot)[] Heard, string Own, MeshTables Tables)? _last;
    private DataplaneSpec? _valid;
    private IReadOnlyList<MeshServiceStatus> _services = [];
    private Carried? _carried;
    private bool _isRegistryOpened = true;
    private bool _isDisposed;

    private sealed record Carried(MeshSpec Mesh, IReadOnlyList<CarriedPort> Ports);

    /// <summary>Makes a runtime without sources.</summary>
    public MeshRuntime(TimeProvider time)
        : this(time, SourceFactory.Create)
    {
    }

    internal MeshRuntime(TimeProvider time, Func<MeshSourceSpec, TimeProvider, IMeshSource> create)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_time, _create) = (time, create);
    }

    /// <summary>Raised on any thread when a source says something else: what <see cref="Expand(DataplaneSpec)"/> gives is another now.</summary>
    public event Action? Changed;

    /// <summary>What came of each service, at the last expansion.</summary>
    public IReadOnlyList<MeshServiceStatus> Services => Volatile.Read(ref _services);

    /// <summary>How the sources fare, in the order of the configuration.</summary>
    public IReadOnlyList<SourceStatus> Sources
    {
        get
        {
            lock (_gate)
            {
                return [.. _order.Select(key => _sources[key].Status)];
            }
        }
    }

    /// <summary>Starts the sources of a configuration, waits until each has said something or failed, and expands it.</summary>
    /// <param name="spec">A configuration; without a section <c>mesh</c> it is given back as it is.</param>
    /// <param name="mesh">The mesh; null: that of the configuration's section.</param>
    /// <param name="isRegistryOpened">Whether registries listen; false for relays and who only looks: they follow the registry that the gateway opens.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    /// <exception cref="ConfigurationException">The mesh has errors; the exception holds all.</exception>
    public async Task<DataplaneSpec> StartAsync(DataplaneSpec spec, MeshSpec? mesh = null, bool isRegistryOpened = true, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(spec);
        mesh ??= Read(spec);
        if (mesh is not null)
        {
            _isRegistryOpened = isRegistryOpened;
            await Task.WhenAll(Use(mesh, cancellationToken)).ConfigureAwait(false);
        }

        return Expand(spec, mesh);
    }

    /// <summary>Puts services and name server in the place of the section <c>mesh</c>, by what the sources say now. Sources that are new begin to be heard,
    /// those that are not named any more end.</summary>
    /// <exception cref="ConfigurationException">The mesh has errors; the exception holds all.</exception>
    public DataplaneSpec Expand(DataplaneSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        MeshSpec? mesh = Read(spec);
        if (mesh is null)
        {
            return spec;
        }

        _ = Use(mesh, CancellationToken.None);
        return Expand(spec, mesh);
    }

    /// <summary>The same, for a mesh made in code.</summary>
    public DataplaneSpec Expand(DataplaneSpec spec, MeshSpec? mesh)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (mesh is null)
        {
            return spec;
        }

        IpAddress[] own = [.. spec.Interfaces.Select(entry => entry.Address.Address)];
        MeshTables tables;
        lock (_gate)
        {
            (string Name, SourceSnapshot Snapshot)[] heard = [.. _order.Select(key => (_sources[key].Name, _sources[key].Snapshot))];
            string ownText = string.Join(' ', own);
            bool isSameMesh = _last is { } last && last.Own == ownText && (ReferenceEquals(last.Spec, mesh) || (spec.Mesh is not null && IsSame(last.Node, spec.Mesh)));
            tables = !isSameMesh ? MeshCompiler.Compile(mesh, heard, own)
                : heard.SequenceEqual(_last!.Value.Heard) ? _last.Value.Tables
                : MeshCompiler.Compile(mesh, heard, own, _last.Value.Tables, _last.Value.Heard);
            _last = (spec.Mesh, mesh, heard, ownText, tables);
        }

        Volatile.Write(ref _carried, new Carried(mesh, tables.Carried));
        DataplaneSpec expanded = Join(spec, tables, Volatile.Read(ref _valid), out IReadOnlyList<MeshServiceStatus> status, out bool isValid);
        Volatile.Write(ref _valid, isValid ? expanded : null);
        Volatile.Write(ref _services, status);
        return expanded;
    }

    /// <summary>Gives a relay that names a mesh (<see cref="RelaySpec.Mesh"/>) the listeners and endpoints of the services that relays carry, as they were at the last expansion.</summary>
    /// <param name="relay">A relay, as its file has it; without a mesh it is given back as it is.</param>
    /// <exception cref="ConfigurationException">The mesh has no section for relays.</exception>
    public RelaySpec ExpandRelay(RelaySpec relay)
    {
        ArgumentNullException.ThrowIfNull(relay);
        if (relay.Mesh is not { } wanted)
        {
            return relay;
        }

        return Volatile.Read(ref _carried) is { Mesh.Relay: { } place } carried
            ? relay with { Listeners = [.. relay.Listeners, .. MeshListeners.Of(wanted, place, carried.Ports)] }
            : throw new ConfigurationException([new ConfigurationError("mesh.file", "has no mesh with a section relay", wanted.File)]);
    }

    /// <summary>Expands a configuration once, by what files say: for commands that only look.</summary>
    /// <exception cref="ConfigurationException">The mesh has errors; the exception holds all.</exception>
    public static DataplaneSpec ExpandOnce(DataplaneSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (Read(spec) is not { } mesh)
        {
            return spec;
        }

        var heard = new List<(string, SourceSnapshot)>();
        foreach (MeshSourceSpec source in mesh.Sources)
        {
            switch (source)
            {
                case { Kind: MeshSourceKind.Kubernetes, Files.Count: > 0 }:
                    var manifests = new ManifestSource(source.Files, TimeProvider.System);
                    manifests.Look();
                    heard.Add((manifests.Name, manifests.Snapshot));
                    break;
                case { Kind: MeshSourceKind.Compose }:
                    var compose = new ComposeSource(source.File, source.Project, source.Projects, TimeProvider.System);
                    compose.Look();
                    heard.Add((compose.Name, compose.Snapshot));
                    break;
            }
        }

        return Join(spec, MeshCompiler.Compile(mesh, heard, spec.Interfaces.Select(entry => entry.Address.Address)), valid: null, out _, out _);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        IMeshSource[] sources;
        lock (_gate)
        {
            _isDisposed = true;
            sources = [.. _sources.Values];
            _sources.Clear();
            _order = [];
        }

        foreach (IMeshSource source in sources)
        {
            await source.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static MeshSpec? Read(DataplaneSpec spec)
    {
        if (spec.Mesh is null)
        {
            return null;
        }

        (MeshSpec mesh, IReadOnlyList<ConfigurationError> errors) = MeshReader.Read(spec.Mesh);
        return errors.Count == 0 ? mesh : throw new ConfigurationException(errors);
    }

    private static bool IsSame(ConfigNode? left, ConfigNode right) => left is not null && (ReferenceEquals(left, right) || YamlText.Write(left) == YamlText.Write(right));

    /// <summary>Starts sources that are new, ends those that are gone; the tasks complete when the new ones have been heard.</summary>
    private List<Task> Use(MeshSpec mesh, CancellationToken cancellationToken)
    {
        var starting = new List<Task>();
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            Dictionary<string, MeshSourceSpec> wanted = new(StringComparer.Ordinal);
            foreach (MeshSourceSpec source in mesh.Sources.Select(source => _isRegistryOpened ? source : Followed(source)))
            {
                wanted.TryAdd(KeyOf(source), source);
            }

            foreach (string gone in _sources.Keys.Except(wanted.Keys).ToArray())
            {
                _sources.Remove(gone, out IMeshSource? source);
                _ = source!.DisposeAsync().AsTask();
            }

            foreach ((string key, MeshSourceSpec spec) in wanted)
            {
                if (!_sources.ContainsKey(key))
                {
                    IMeshSource source = _create(spec, _time);
                    _sources[key] = source;
                    starting.Add(source.StartAsync(() => Changed?.Invoke(), cancellationToken));
                }
            }

            _order = [.. wanted.Keys];
        }

        return starting;
    }

    /// <summary>The same source for who does not open a registry but follows the one that the gateway opens.</summary>
    private static MeshSourceSpec Followed(MeshSourceSpec source) => source.Kind != MeshSourceKind.Registration ? source
        : source with { Endpoints = [], Registries = source.Registries.Count > 0 ? source.Registries : [.. source.Endpoints.Select(listen => $"http://{listen}")] };

    private static string KeyOf(MeshSourceSpec source) =>
        $"{source.Kind}|{string.Join('|', source.Registries)}|{string.Join('|', source.Files)}|{string.Join('|', source.Endpoints)}|{source.Prefix}|{source.TokenFile}"
        + $"|{source.Api}|{source.Kubeconfig}|{source.Context}|{source.CertificateAuthority}|{string.Join('|', source.Namespaces)}|{string.Join('|', source.Servers)}|{string.Join('|', source.Lookups)}"
        + $"|{string.Join('|', source.Clusters)}|{source.Node}|{source.NodeCluster}|{source.Certificate}|{source.Key}"
        + $"|{source.File}|{source.Project}|{source.Projects}";

    /// <summary>Adds the mesh's services and names; what the engine would refuse is left out, and the service's status says why.</summary>
    private static DataplaneSpec Join(DataplaneSpec spec, MeshTables tables, DataplaneSpec? valid, out IReadOnlyList<MeshServiceStatus> status, out bool isValid)
    {
        status = tables.Status;
        int first = spec.Services.Count;
        DataplaneSpec expanded = spec with
        {
            Mesh = null,
            Services = [.. spec.Services, .. tables.Services],
            Names = tables.Names is null ? spec.Names : [.. spec.Names, tables.Names],
        };
        var refused = new Dictionary<int, List<(int Backend, string Problem)>>();
        IReadOnlyList<ConfigurationError> errors = SpecValidator.Validate(expanded, valid);
        isValid = errors.Count == 0;
        foreach (ConfigurationError error in errors)
        {
            Match place = ServicePath().Match(error.Path);
            if (place.Success && int.Parse(place.Groups[1].ValueSpan, CultureInfo.InvariantCulture) is int service && service >= first)
            {
                int backend = place.Groups[2].Success ? int.Parse(place.Groups[2].ValueSpan, CultureInfo.InvariantCulture) : -1;
                refused.TryAdd(service, []);
                refused[service].Add((backend, $"{error.Value} {error.Message}"));
            }
        }

        if (isValid)
        {
            SpecValidator.Vouch(expanded);
        }

        if (refused.Count == 0)
        {
            return expanded;
        }

        var services = new List<ServiceSpec>();
        var problems = new Dictionary<int, List<string>>();
        for (int index = 0; index < expanded.Services.Count; index++)
        {
            ServiceSpec service = expanded.Services[index];
            List<(int Backend, string Problem)> wrong = refused.GetValueOrDefault(index) ?? [];
            if (wrong.Count > 0)
            {
                problems.TryAdd(tables.Owners[index - first], []);
                problems[tables.Owners[index - first]].AddRange(wrong.Select(found => $"{service.Name}: {found.Problem}"));
            }

            if (!wrong.Exists(found => found.Backend < 0))
            {
                services.Add(wrong.Count == 0 ? service : service with { Backends = [.. service.Backends.Where((_, at) => !wrong.Exists(found => found.Backend == at))] });
            }
        }

        status = [.. tables.Status.Select((one, at) => problems.TryGetValue(at, out List<string>? own)
            ? one with { Problem = string.Join("; ", own.Prepend(one.Problem).Where(text => text.Length > 0)) } : one)];
        return expanded with { Services = services };
    }

    [GeneratedRegex(@"^services\[(\d+)\](?:\.backends\[(\d+)\])?")]
    private static partial Regex ServicePath();
}
