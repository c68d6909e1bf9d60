namespace Dataplane.Telemetry;

/// <summary>How many packets were found invalid for a reason.</summary>
/// <param name="Reason">Such as <c>above_window</c>.</param>
/// <param name="Packets">How many.</param>
public readonly record struct InvalidCount(string Reason, long Packets);
