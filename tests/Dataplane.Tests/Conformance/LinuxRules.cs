namespace Dataplane.Tests.Conformance;

/// <summary>The configuration of a group in the words of Linux.</summary>
/// <param name="Forward">Rules of nft for what is forwarded; what they do not decide passes.</param>
/// <param name="IsMasquerade">Whether what leaves from "lan" by "wan" is masqueraded.</param>
/// <param name="Routes">More routes, as for <c>ip -batch</c>.</param>
internal sealed record LinuxRules(string Forward = "", bool IsMasquerade = false, string Routes = "");
