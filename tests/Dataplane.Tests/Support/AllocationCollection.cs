namespace Dataplane.Tests.Support;

/// <summary>Tests that count bytes allocated while others are not: a collection that others bring about in between is counted by the runtime as if it were ours.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AllocationCollection
{
    public const string Name = "allocation";
}
