using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace Dataplane.Hosting.Reloading;

/// <summary>A section of the host's configuration.</summary>
internal sealed class ConfigurationSpecSource(IConfigurationSection section) : ISpecSource
{
    public string Name => section.Path;

    public LoadResult Load(Func<DataplaneSpec, DataplaneSpec> change) => section.Exists()
        ? ConfigurationBinding.Load(section, change)
        : new LoadResult { Errors = [new ConfigurationError("", "is not in the host's configuration, or is empty; add the section or correct its name") { File = section.Path }] };

    public IDisposable Watch(Action changed) => ChangeToken.OnChange(section.GetReloadToken, changed);
}
