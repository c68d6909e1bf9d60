namespace Dataplane.Routing;

/// <summary>A prefix as the range of addresses it stands for.</summary>
/// <param name="First">Lowest address.</param>
/// <param name="Last">Highest address.</param>
/// <param name="Value">What a match gives.</param>
internal readonly record struct PrefixRange<T>(T First, T Last, int Value);
