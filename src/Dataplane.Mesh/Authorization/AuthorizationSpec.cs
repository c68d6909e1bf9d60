namespace Dataplane.Mesh.Authorization;

/// <summary>Who may connect: first the policies that deny, then those that allow, then the default, as Istio has it.</summary>
/// <remarks>
/// 1. A policy that denies fits: refused. 2. No policy that allows is for the listener: the default. 3. One that allows fits: allowed.
/// 4. Refused. Policies in dry run decide nothing and report what they would refuse.
/// </remarks>
public sealed record AuthorizationSpec
{
    /// <summary>What happens at listeners for which there is no policy that allows.</summary>
    public PolicyAction Default { get; init; } = PolicyAction.Allow;

    /// <summary>The policies, in any order.</summary>
    public IReadOnlyList<PolicySpec> Policies { get; init; } = [];
}
