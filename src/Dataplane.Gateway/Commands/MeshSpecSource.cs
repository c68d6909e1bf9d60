using Dataplane.Hosting.Configuration;
using Dataplane.Hosting.Reloading;
using Dataplane.Mesh;

namespace Dataplane.Gateway.Commands;

/// <summary>A configuration whose mesh is worked out: it changes with its file and with what the mesh's sources say.</summary>
internal sealed class MeshSpecSource(ISpecSource inner, MeshRuntime mesh) : ISpecSource
{
    public string Name => inner.Name;

    /// <summary>Reads for the first time: waits until the sources have been heard, or have failed.</summary>
    public LoadResult LoadFirst() => inner.Load(spec => mesh.StartAsync(spec).GetAwaiter().GetResult());

    public LoadResult Load(Func<DataplaneSpec, DataplaneSpec> change) => inner.Load(spec => change(mesh.Expand(spec)));

    public IDisposable Watch(Action changed)
    {
        mesh.Changed += changed;
        return new Both(inner.Watch(changed), () => mesh.Changed -= changed);
    }

    private sealed class Both(IDisposable file, Action end) : IDisposable
    {
        public void Dispose()
        {
            end();
            file.Dispose();
        }
    }
}
