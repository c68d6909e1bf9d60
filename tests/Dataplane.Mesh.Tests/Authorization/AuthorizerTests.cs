using System.Net;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Mesh.Tests.Authorization;

public sealed class AuthorizerTests
{
    private static readonly ConnectionFacts s_facts = new("in", ConnectionMethod.Mutual, new IPEndPoint(IPAddress.Parse("10.1.0.7"), 40000),
        SpiffeId.Parse("spiffe://example.org/ns/shop/sa/web"), "db.shop.test", new IPEndPoint(IPAddress.Parse("10.2.0.9"), 5432));

    [Fact]
    public void Decide_NoPolicies_IsTheDefault()
    {
        Assert.Equal(new AuthorizationDecision(true, "default"), Decide(PolicyAction.Allow));
        Assert.Equal(new AuthorizationDecision(false, "default"), Decide(PolicyAction.Deny));
    }

    [Fact]
    public void Decide_DenyBeforeAllow_WhateverTheOrder()
    {
        var allow = new PolicySpec { Name = "a", Action = PolicyAction.Allow };
        var deny = new PolicySpec { Name = "d", Action = PolicyAction.Deny, Ports = [5432] };
        Assert.Equal(new AuthorizationDecision(false, "d"), Decide(PolicyAction.Allow, allow, deny));
        Assert.Equal(new AuthorizationDecision(false, "d"), Decide(PolicyAction.Allow, deny, allow));
        Assert.Equal(new AuthorizationDecision(true, "a"), Decide(PolicyAction.Deny, allow, deny with { Ports = [1] }));
    }

    [Fact]
    public void Decide_AllowThatDoesNotFit_RefusesWhatevertheDefault()
    {
        var allow = new PolicySpec { Name = "a", Action = PolicyAction.Allow, Namespaces = ["bank"] };
        Assert.Equal(new AuthorizationDecision(false, Authorizer.NoneMatched), Decide(PolicyAction.Allow, allow));

        // An allow for another listener is none for this one.
        Assert.Equal(new AuthorizationDecision(true, "default"), Decide(PolicyAction.Allow, allow with { Listeners = ["other"] }));
    }

    [Fact]
    public void Decide_DryRun_ReportsAndDecidesNothing()
    {
        var deny = new PolicySpec { Name = "d", Action = PolicyAction.Deny, DryRun = true };
        Assert.Equal(new AuthorizationDecision(true, "default", "d"), Decide(PolicyAction.Allow, deny));
        var allow = new PolicySpec { Name = "a", Action = PolicyAction.Allow, DryRun = true, Namespaces = ["bank"] };
        Assert.Equal(new AuthorizationDecision(true, "default", Authorizer.NoneMatched), Decide(PolicyAction.Allow, allow));
        Assert.Equal(new AuthorizationDecision(true, "default"), Decide(PolicyAction.Allow, allow with { Namespaces = ["shop"] }));
    }

    [Fact]
    public void Decide_EachCondition_MustFit()
    {
        (PolicySpec Fits, PolicySpec Not)[] cases =
        [
            (new() { Identities = [SpiffePattern.Parse("spiffe://example.org/ns/shop/*")] }, new() { Identities = [SpiffePattern.Parse("spiffe://example.com")] }),
            (new() { Namespaces = ["x", "shop"] }, new() { Namespaces = ["shopping"] }),
            (new() { Addresses = [IPNetwork.Parse("10.1.0.0/24")] }, new() { Addresses = [IPNetwork.Parse("10.1.1.0/24"), IPNetwork.Parse("::/0")] }),
            (new() { Methods = [ConnectionMethod.Mutual] }, new() { Methods = [ConnectionMethod.Plain] }),
            (new() { ServerNames = ["*.shop.test"] }, new() { ServerNames = ["shop.test", "*.db.shop.test"] }),
            (new() { Destinations = [IPNetwork.Parse("10.2.0.9/32")] }, new() { Destinations = [IPNetwork.Parse("10.2.0.8/32")] }),
            (new() { Ports = [80, 5432] }, new() { Ports = [80] }),
        ];
        foreach ((PolicySpec fits, PolicySpec not) in cases)
        {
            Assert.False(Decide(PolicyAction.Allow, fits with { Name = "d", Action = PolicyAction.Deny }).IsAllowed);
            Assert.True(Decide(PolicyAction.Allow, not with { Name = "d", Action = PolicyAction.Deny }).IsAllowed);
        }
    }

    [Fact]
    public void Decide_ClientWithoutIdentity_IsNeverMeantByIdentityOrNamespace()
    {
        var nobody = s_facts with { Identity = null };
        foreach (PolicySpec policy in (PolicySpec[])[new() { Identities = [SpiffePattern.Parse("spiffe://example.org")] }, new() { Namespaces = [""] }])
        {
            var spec = new AuthorizationSpec { Policies = [policy with { Name = "a", Action = PolicyAction.Allow }] };
            Assert.False(new Authorizer(spec).Decide(nobody).IsAllowed);
        }
    }

    [Fact]
    public void Decide_AnyPolicies_IsIstiosRule() => Prop.ForAll(ArbMap.Default.ArbFor<((bool Deny, bool Fits, bool Dry)[], bool)>(), input =>
    {
        ((bool Deny, bool Fits, bool Dry)[] rules, bool isAllowed) = input;
        PolicySpec[] policies = [.. (rules ?? []).Select((rule, i) => new PolicySpec
        {
            Name = $"p{i}", Action = rule.Deny ? PolicyAction.Deny : PolicyAction.Allow, DryRun = rule.Dry, Ports = [rule.Fits ? 5432 : 1],
        })];
        (bool Deny, bool Fits, bool Dry)[] real = [.. (rules ?? []).Where(rule => !rule.Dry)];
        bool expected = !real.Any(rule => rule.Deny && rule.Fits)
            && (real.Any(rule => !rule.Deny) ? real.Any(rule => !rule.Deny && rule.Fits) : isAllowed);
        return Decide(isAllowed ? PolicyAction.Allow : PolicyAction.Deny, policies).IsAllowed == expected;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    private static AuthorizationDecision Decide(PolicyAction otherwise, params PolicySpec[] policies) =>
        new Authorizer(new AuthorizationSpec { Default = otherwise, Policies = policies }).Decide(s_facts);
}
