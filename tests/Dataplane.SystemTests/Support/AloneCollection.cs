namespace Dataplane.SystemTests.Support;

/// <summary>Tests that nothing may run beside: they count what this process or the whole system holds, or need its processors for themselves.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
