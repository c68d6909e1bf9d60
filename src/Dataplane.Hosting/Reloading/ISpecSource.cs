using Dataplane.Hosting.Configuration;

namespace Dataplane.Hosting.Reloading;

/// <summary>Where an engine's configuration comes from; it can be read as often as it changes.</summary>
internal interface ISpecSource
{
    /// <summary>What messages call it: the path of a file or of a configuration section.</summary>
    string Name { get; }

    /// <summary>Reads and checks the configuration as it is now. Does not throw on what is in it.</summary>
    /// <param name="change">Makes the specification to be checked from the one that was read.</param>
    LoadResult Load(Func<DataplaneSpec, DataplaneSpec> change);

    /// <summary>Calls back, on any thread, when the configuration may have changed, until the result is disposed.</summary>
    IDisposable Watch(Action changed);
}
