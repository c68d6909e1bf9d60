namespace Dataplane.Balancing;

/// <summary>How a backend is chosen for a new flow.</summary>
public enum BalancePolicy
{
    /// <summary>Consistent hash of the flow (Eisenbud et al., NSDI 2016), by weight.</summary>
    Maglev = 0,

    /// <summary>One backend after the other, whatever their weights (those of weight 0 excepted).</summary>
    RoundRobin,

    /// <summary>One after the other in proportion to the weights, spread evenly (smooth weighted round robin).</summary>
    Weighted,

    /// <summary>As <see cref="Maglev"/>, by the client's address alone: all flows of a client go to one backend.</summary>
    SourceHash,

    /// <summary>The backend whose hash with the flow is highest (Thaler, Ravishankar 1998), by weight. Needs no table; a choice costs as many hashes as there are backends.</summary>
    Rendezvous,

    /// <summary>The backend with the fewest flows for its weight, of those the worker knows. A choice looks at all backends.</summary>
    LeastConnections,

    /// <summary>Of two by chance, the one with fewer flows for its weight (Mitzenmacher 2001), of those the worker knows.</summary>
    PowerOfTwo,
}
