using System.Net;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Authorization;

/// <summary>Decides by policies. Immutable; any thread.</summary>
internal sealed class Authorizer
{
    /// <summary>What a decision names when no policy fitted and the default decided.</summary>
    public const string ByDefault = "default";

    /// <summary>What a decision names when there are policies that allow and none of them fitted.</summary>
    public const string NoneMatched = "no allow policy matched";

    private readonly PolicyAction _default;
    private readonly PolicySpec[] _policies;

    /// <summary>Takes the policies of a specification.</summary>
    public Authorizer(AuthorizationSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        _default = spec.Default;
        _policies = [.. spec.Policies];
    }

    /// <summary>Decides about a connection.</summary>
    public AuthorizationDecision Decide(ConnectionFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        AuthorizationDecision real = Decide(facts, withDryRun: false);
        if (!real.IsAllowed)
            return real;

        // What would be, were the dry ones in force too. Only what changes is told.
        AuthorizationDecision dry = Decide(facts, withDryRun: true);
        return dry.IsAllowed ? real : real with { WouldDeny = dry.Policy };
    }

    /// <summary>Whether a host name is one of a list, in which <c>*.example.org</c> stands for all names below.</summary>
    internal static bool Fits(string name, IReadOnlyList<string> patterns)
    {
        foreach (string pattern in patterns)
        {
            if (pattern.StartsWith("*.", StringComparison.Ordinal)
                ? name.Length > pattern.Length - 1 && name.EndsWith(pattern[1..], StringComparison.OrdinalIgnoreCase)
                : name.Equals(ClientHello.Normal(pattern), StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    /// <summary>Whether an address lies in one of a list of prefixes; IPv4 in IPv6 counts as IPv4.</summary>
    internal static bool Fits(IPAddress address, IReadOnlyList<IPNetwork> prefixes)
    {
        IPAddress plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        foreach (IPNetwork prefix in prefixes)
        {
            if (prefix.Contains(plain))
                return true;
        }

        return false;
    }

    private AuthorizationDecision Decide(ConnectionFacts facts, bool withDryRun)
    {
        string? allowedBy = null;
        bool hasAllow = false;
        foreach (PolicySpec policy in _policies)
        {
            if ((policy.DryRun && !withDryRun) || (policy.Listeners.Count > 0 && !policy.Listeners.Contains(facts.Listener)))
                continue;
            hasAllow |= policy.Action == PolicyAction.Allow;
            if (policy.Action == PolicyAction.Allow && allowedBy is not null || !Fits(policy, facts))
                continue;
            if (policy.Action == PolicyAction.Deny)
                return new AuthorizationDecision(false, policy.Name);
            allowedBy = policy.Name;
        }

        if (!hasAllow)
            return new AuthorizationDecision(_default == PolicyAction.Allow, ByDefault);
        return new AuthorizationDecision(allowedBy is not null, allowedBy ?? NoneMatched);
    }

    private static bool Fits(PolicySpec policy, ConnectionFacts facts)
    {
        if (policy.Methods.Count > 0 && !policy.Methods.Contains(facts.Method))
            return false;
        if (policy.Identities.Count > 0 && (facts.Identity is null || !policy.Identities.Any(pattern => pattern.Matches(facts.Identity))))
            return false;
        if (policy.Namespaces.Count > 0 && (facts.Identity is not { Namespace.Length: > 0 } named || !policy.Namespaces.Contains(named.Namespace)))
            return false;
        return (policy.Addresses.Count == 0 || Fits(facts.Client.Address, policy.Addresses))
            && (policy.ServerNames.Count == 0 || Fits(facts.ServerName, policy.ServerNames))
            && (policy.Destinations.Count == 0 || Fits(facts.Destination.Address, policy.Destinations))
            && (policy.Ports.Count == 0 || policy.Ports.Contains(facts.Destination.Port));
    }
}
