namespace Dataplane.Pipeline;

/// <summary>Tables and what has changed against the ones before.</summary>
internal sealed record CompiledTables(ForwardingTables Tables, IReadOnlyList<Balancing.ServiceChange> Changes);
