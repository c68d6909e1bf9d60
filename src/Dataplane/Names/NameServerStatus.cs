namespace Dataplane.Names;

/// <summary>What the name servers of an engine have done, added up over all workers and servers.</summary>
/// <param name="Answered">Responses by response code: index 0 is NOERROR, 1 FORMERR, 2 SERVFAIL, 3 NXDOMAIN, 4 NOTIMP, 5 REFUSED, 16 BADVERS.</param>
/// <param name="Truncated">Responses that did not fit and say so (TC).</param>
/// <param name="Forwarded">Queries handed on to be asked upstream.</param>
/// <param name="ForwardsRefused">Queries that found no room among those being asked upstream, answered with SERVFAIL.</param>
/// <param name="Names">Names in the zones in force.</param>
public sealed record NameServerStatus(IReadOnlyList<long> Answered, long Truncated, long Forwarded, long ForwardsRefused, int Names)
{
    /// <summary>Connections over TCP that asked something.</summary>
    public long Connections { get; init; }

    /// <summary>Connections over TCP that the server reset: for want of room, because what came was no query, or because the client acknowledged nothing.</summary>
    public long ConnectionsReset { get; init; }

    /// <summary>All responses made on the packet path.</summary>
    public long Responses => Answered.Sum();
}
