namespace Dataplane.Mesh.Authorization;

/// <summary>What was decided about a connection, and by what.</summary>
/// <param name="IsAllowed">Whether it may pass.</param>
/// <param name="Policy">Name of the policy that decided, <c>default</c>, or <c>no allow policy matched</c>.</param>
/// <param name="WouldDeny">Name of the policy in dry run that would have refused it, or <c>no allow policy matched</c> when those that allow, dry ones with them, would not have fitted; else empty.</param>
internal readonly record struct AuthorizationDecision(bool IsAllowed, string Policy, string WouldDeny = "");
