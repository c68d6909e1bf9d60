using Dataplane.Hosting.Configuration;

namespace Dataplane.Hosting.Reloading;

/// <summary>A configuration file.</summary>
internal sealed class FileSpecSource(string path, TimeProvider time) : ISpecSource
{
    private readonly FileReader _reader = new(path);

    public string Name => path;

    public LoadResult Load(Func<DataplaneSpec, DataplaneSpec> change) => _reader.Load(change);

    public IDisposable Watch(Action changed) => new FileWatch(path, changed, time);
}
