namespace Dataplane.Native;

/// <summary>One thing that this process may or may not do.</summary>
/// <param name="Name">What it is, such as <c>CAP_NET_RAW</c> or <c>/dev/net/tun</c>.</param>
/// <param name="Available">Whether it can be used now.</param>
/// <param name="Detail">What was found, in a few words.</param>
/// <param name="Remedy">What an operator can do about it; null when nothing is missing.</param>
public sealed record Capability(string Name, bool Available, string Detail, string? Remedy);
