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
}
