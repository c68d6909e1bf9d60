namespace Dataplane.Telemetry;

/// <summary>What one stage did with the packet.</summary>
/// <param name="Stage">Name of the stage, such as <c>filter</c>.</param>
/// <param name="Outcome">One or two words, such as <c>allowed</c>.</param>
/// <param name="Detail">One sentence with the values that led to it.</param>
/// <param name="Values">The same values for programs.</param>
public sealed record ExplainStep(string Stage, string Outcome, string Detail, IReadOnlyDictionary<string, object?> Values);
