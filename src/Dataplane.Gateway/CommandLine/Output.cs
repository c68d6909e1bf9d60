namespace Dataplane.Gateway.CommandLine;

/// <summary>Where a command writes.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">What went wrong, and remarks.</param>
internal sealed record Output(TextWriter Out, TextWriter Error);
