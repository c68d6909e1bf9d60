namespace Dataplane.Gateway.CommandLine;

/// <summary>The command line is wrong; the message says how to mend it.</summary>
internal sealed class UsageException(string message) : Exception(message);
