namespace Dataplane.Telemetry;

/// <summary>The counters of one filter rule; the default policy is the last one.</summary>
/// <param name="Name">The rule's name, or <c>default</c>.</param>
/// <param name="Packets">Packets it decided.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record RuleStatus(string Name, long Packets, long Bytes);
