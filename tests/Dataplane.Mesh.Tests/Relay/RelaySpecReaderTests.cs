using Dataplane.Configuration;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>The relay's file: what it may hold, and what is said of what it may not.</summary>
public sealed class RelaySpecReaderTests
{
    [Fact]
    public void Read_Everything_IsUnderstood()
    {
        (RelaySpec spec, IReadOnlyList<ConfigurationError> errors) = RelaySpecReader.Read(Tree.Map(
            ("identity", Tree.Map(("certificate", "a.pem"), ("key", "a.key"), ("bundles", Tree.Map(("example.org", "b.pem"))))),
            ("hand_over", "true"),
            ("limits", Tree.Map(("connections", "100"), ("idle_timeout", "300s"), ("handshake_timeout", "2s"), ("eject_after", "0"))),
            ("listeners", Tree.List(
                Tree.Map(("name", "out"), ("kind", "outbound"), ("listen", "127.0.0.1:8081"), ("original", "redirect"), ("to", "original:15008"),
                    ("peer", Tree.List("spiffe://example.org/ns/shop/*")), ("send_proxy", "true"), ("server_name", "web")),
                Tree.Map(("name", "edge"), ("kind", "edge"), ("listen", "[::]:443"), ("tls12", "true"), ("alpn", Tree.List("h2")),
                    ("certificates", Tree.List(Tree.Map(("certificate", "c.pem"), ("key", "c.key"), ("names", "x.test")))),
                    ("routes", Tree.List(Tree.Map(("name", "r"), ("server_names", Tree.List("*.x.test")), ("ports", Tree.List("443")), ("connect", "tls"),
                        ("server_name", "y.test"), ("ca", "ca.pem"), ("balance", "least_connections"),
                        ("to", Tree.List(Tree.Map(("address", "10.0.0.1:80"), ("weight", "3")), "[2001:db8::1]:80"))))),
                    ("to", "10.0.0.9:80")))),
            ("authorization", Tree.Map(("default", "deny"), ("policies", Tree.List(Tree.Map(("name", "p"), ("action", "allow"), ("dry_run", "true"),
                ("listeners", "edge"), ("identities", "spiffe://example.org"), ("namespaces", "shop"), ("addresses", "10.0.0.0/8"), ("methods", "tls"),
                ("server_names", "a.test"), ("destinations", "10.1.0.0/16"), ("ports", Tree.List("1", "65535")))))))));
        Assert.Empty(errors);
        Assert.Equal((100, 300, 0), (spec.Limits.Connections, (int)spec.Limits.IdleTimeout.TotalSeconds, spec.Limits.EjectAfter));
        Assert.Equal((UpstreamKind.Mutual, 15008, null), (spec.Listeners[0].Routes[0].Connect, spec.Listeners[0].Routes[0].Endpoints[0].Port,
            spec.Listeners[0].Routes[0].Endpoints[0].Address));
        Assert.Equal(["r", ""], spec.Listeners[1].Routes.Select(route => route.Name));
        Assert.Equal([3, 1], spec.Listeners[1].Routes[0].Endpoints.Select(endpoint => endpoint.Weight));
        Assert.Single(spec.Authorization.Policies[0].Destinations);
    }

    [Theory]
    [InlineData("kind", "inbond", "listeners[0].kind", "did you mean \"inbound\"?")]
    [InlineData("listen", "8080", "listeners[0].listen", "is not an address with a port")]
    [InlineData("to", "web:80", "listeners[0].to", "is not an address with a port")]
    [InlineData("to", "original", "listeners[0].to", "is not known here")]
    [InlineData("peer", "spiffe://Example.org", "listeners[0].peer", "trust domain")]
    [InlineData("peer", null, "listeners[0].peer", "is missing: who the peer must be")]
    [InlineData("name", "a b", "listeners[0].name", "is not a name")]
    [InlineData("sni", "x", "listeners[0].sni", "is not a key of a listener")]
    [InlineData("tls12", "true", "listeners[0].tls12", "belongs to kind edge")]
    [InlineData("ca", "x.pem", "listeners[0].ca", "belongs to connect: tls")]
    [InlineData("original", "proxy", "listeners[0].proxy_from", "is missing")]
    [InlineData("proxy_from", "10.0.0.0/99", "listeners[0].proxy_from", "")]
    [InlineData("proxy_from", "spiffe://example.org", "listeners[0].proxy_from", "names identities")]
    public void Read_OneWrongValue_IsTheOnlyErrorAndInItsPlace(string key, string? value, string path, string says)
    {
        var keys = new Dictionary<string, object?>
        {
            ["name"] = "out",
            ["kind"] = "outbound",
            ["listen"] = "127.0.0.1:1",
            ["to"] = "127.0.0.1:2",
            ["peer"] = "spiffe://example.org/x",
            [key] = value,
        };
        IReadOnlyList<ConfigurationError> errors = RelaySpecReader.Read(Tree.Map(
            ("identity", Tree.Map(("certificate", "a.pem"), ("key", "a.key"), ("bundles", Tree.Map(("example.org", "b.pem"))))),
            ("listeners", Tree.List(Tree.Map([.. keys.Where(pair => pair.Value is not null).Select(pair => (pair.Key, pair.Value!))]))))).Errors;
        ConfigurationError error = Assert.Single(errors);
        Assert.Equal(path, error.Path);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_NoIdentity_IsToldWhereItIsNeeded()
    {
        IReadOnlyList<ConfigurationError> errors = RelaySpecReader.Read(Tree.Map(("listeners", Tree.List(
            Tree.Map(("name", "in"), ("kind", "inbound"), ("listen", "[::]:1"), ("to", "127.0.0.1:2")),
            Tree.Map(("name", "in"), ("kind", "edge"), ("listen", "[::]:1"), ("to", "127.0.0.1:2"))))))
            .Errors;
        Assert.Equal(["listeners[0].kind", "listeners[1].name", "listeners[1].listen", "listeners[1].certificates"], errors.Select(error => error.Path));
    }

    [Fact]
    public void Read_NothingAtAll_IsToldSo() => Assert.Equal("listeners", Assert.Single(RelaySpecReader.Read(Tree.Map()).Errors).Path);

    [Fact]
    public void Read_RouteBehindOneForAll_IsToldSo()
    {
        ConfigurationError error = Assert.Single(RelaySpecReader.Read(Tree.Map(("listeners", Tree.List(Tree.Map(("name", "p"), ("kind", "passthrough"),
            ("listen", "[::]:1"), ("routes", Tree.List(Tree.Map(("name", "all"), ("to", "127.0.0.1:2")),
            Tree.Map(("name", "never"), ("server_names", "x.test"), ("to", "127.0.0.1:2"))))))))).Errors);
        Assert.Equal("listeners[0].routes[1]", error.Path);
    }

    [Fact]
    public void Read_AnyTree_NeverThrows() => Prop.ForAll(ArbMap.Default.ArbFor<int[]>(), seeds =>
    {
        var random = new Random((seeds ?? []).Aggregate(17, (hash, seed) => (hash * 31) + seed));
        RelaySpecReader.Read(Tree.Any(random, depth: 6));
        return true;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void Documentation_DescribesEveryKey()
    {
        string text = File.ReadAllText(Path.Combine(Tree.Root, "docs", "MESH.md"));
        string[] missing = [.. RelayKeys.All.Where(key => !text.Contains($"`{key}`", StringComparison.Ordinal))];
        Assert.True(missing.Length == 0, $"docs/MESH.md does not describe {string.Join(", ", missing)}");
    }

    [Fact]
    public void Documentation_ListsEveryReason()
    {
        string text = File.ReadAllText(Path.Combine(Tree.Root, "docs", "MESH.md"));
        string[] missing = [.. Enum.GetValues<RelayReason>().Select(RelayNames.Of).Where(name => !text.Contains($"`{name}`", StringComparison.Ordinal))];
        Assert.True(missing.Length == 0, $"docs/MESH.md does not list {string.Join(", ", missing)}");
    }
}
