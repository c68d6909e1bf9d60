namespace Dataplane.Mesh.Identity;

/// <summary>What a relay knows of a certificate of its own at one moment.</summary>
/// <param name="Name">The identity, or the first name of a certificate of the edge.</param>
/// <param name="NotAfter">When the certificate ends to be valid.</param>
/// <param name="Revision">How often a new set of files was taken, the first being 1.</param>
/// <param name="LoadedAt">When the set in force was read.</param>
/// <param name="Failures">How often a changed set of files could not be used; the last good one then stayed in force.</param>
/// <param name="Problem">Why the files as they lie there now cannot be used; empty when they are in force.</param>
public sealed record IdentityStatus(string Name, DateTimeOffset NotAfter, int Revision, DateTimeOffset LoadedAt, long Failures, string Problem);
