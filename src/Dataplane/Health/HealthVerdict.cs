namespace Dataplane.Health;

/// <summary>What a check has found.</summary>
/// <param name="IsWell">Whether the backend answered as wanted.</param>
/// <param name="Reason">What it did, in words, such as <c>connection refused</c>.</param>
internal readonly record struct HealthVerdict(bool IsWell, string Reason);
