namespace Dataplane.Native.Tests;

/// <summary>Tests that count what this process holds, or bytes allocated, while no others open, map or allocate beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ResourceCollection
{
    public const string Name = "resources";
}
