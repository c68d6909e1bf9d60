using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Hosting.Reloading;
using Dataplane.Mesh;
using Dataplane.Mesh.Relay;

namespace Dataplane.Gateway.Mesh;

/// <summary>What a relay is told: by its file and, if that names one, by a mesh, whose own file and sources are followed as well. One caller at a time.</summary>
internal sealed class RelaySource : IAsyncDisposable
{
    private readonly MeshRuntime _mesh = new(TimeProvider.System);
    private readonly string _path;
    private Action? _changed;
    private bool _isMissed;
    private FileWatch? _file;
    private FileWatch? _meshFile;
    private string _watched = "";
    private bool _isStarted;

    public RelaySource(string path)
    {
        _path = Path.GetFullPath(path);
        _mesh.Changed += OnMeshChanged;
    }

    /// <summary>Reads everything as it is now.</summary>
    /// <exception cref="ConfigurationException">It has errors; all are in it, with file, line and column.</exception>
    public RelaySpec Load()
    {
        RelaySpec spec = RelayFile.Load(_path);
        if (spec.Mesh is not { } mesh)
        {
            return spec;
        }

        string file = Path.GetFullPath(mesh.File, Path.GetDirectoryName(_path)!);
        WatchMesh(file);
        ConfigurationFile.Load(file, read => _isStarted ? _mesh.Expand(read) : _mesh.StartAsync(read, isRegistryOpened: false).GetAwaiter().GetResult()).GetSpec();
        _isStarted = true;
        return _mesh.ExpandRelay(spec);
    }

    /// <summary>Tells, on any thread, when something may have changed.</summary>
    public void Watch(Action changed)
    {
        Volatile.Write(ref _changed, changed);
        _file = new FileWatch(_path, changed, TimeProvider.System);
        if (_watched.Length > 0)
        {
            _meshFile = new FileWatch(_watched, changed, TimeProvider.System);
        }

        // What a source said between the first reading and now would go unnoticed for ever.
        if (Volatile.Read(ref _isMissed))
        {
            changed();
        }
    }

    public ValueTask DisposeAsync()
    {
        _file?.Dispose();
        _meshFile?.Dispose();
        return _mesh.DisposeAsync();
    }

    private void OnMeshChanged()
    {
        Volatile.Write(ref _isMissed, true);
        Volatile.Read(ref _changed)?.Invoke();
    }

    private void WatchMesh(string file)
    {
        if (file == _watched)
        {
            return;
        }

        _watched = file;
        if (_changed is not null)
        {
            _meshFile?.Dispose();
            _meshFile = new FileWatch(file, _changed, TimeProvider.System);
        }
    }
}
