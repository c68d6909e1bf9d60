namespace Dataplane.Tests.Ports;

/// <summary>Tests that count the descriptors of the process, beside which nothing else may open any.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class MemifCollection
{
    public const string Name = "memif";
}
