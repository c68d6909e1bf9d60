using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;

namespace Dataplane.Hosting.Reloading;

/// <summary>Nothing is loaded: the configuration is code, and does not change by itself.</summary>
internal sealed class NoSpecSource : ISpecSource, IDisposable
{
    public string Name => "code";

    public LoadResult Load(Func<DataplaneSpec, DataplaneSpec> change)
    {
        try
        {
            return new LoadResult { Spec = change(new DataplaneSpec()) };
        }
        catch (ConfigurationException wrong)
        {
            return new LoadResult { Errors = wrong.Errors };
        }
    }

    public IDisposable Watch(Action changed) => this;

    public void Dispose()
    {
    }
}
