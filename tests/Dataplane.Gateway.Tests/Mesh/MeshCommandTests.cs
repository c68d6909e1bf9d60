using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.Mesh;

public sealed class MeshCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("mesh", "there is no command \"mesh\"; there are mesh relay, mesh ca init, mesh ca issue, mesh ca bundle.")]
    [InlineData("mesh ca", "there is no command \"mesh ca\"; there are")]
    [InlineData("mesh rely x.yaml", "there is no command \"mesh rely x.yaml\"; there are")]
    public async Task Mesh_PartOfAName_ListsTheWholeOnes(string words, string message)
    {
        Ended ended = (await Called.WithAsync(words.Split(' '))).With(ExitCode.Usage);
        Assert.StartsWith($"dataplane: {message}", ended.Error, StringComparison.Ordinal);
        Assert.Contains("mesh ca init", (await Called.WithAsync("mesh", "--help")).With(ExitCode.Ok).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Relay_FileWithErrors_TellsAllWithTheirPlaces()
    {
        string file = _folder.Write("relay.yaml", """
            listeners:
              - { name: web-in, kind: inbond, lisen: "0.0.0.0:15008", to: "web:8080" }
            limits: { idle_timeout: 5 }
            """);
        Ended ended = (await Called.WithAsync("mesh", "relay", file)).With(ExitCode.Usage);
        Assert.Contains($"{file}:2:27: listeners[0].kind: \"inbond\": is not outbound, inbound, edge or passthrough; did you mean \"inbound\"?", ended.ErrorLines);
        Assert.Contains(ended.ErrorLines, line => line.StartsWith($"{file}:2:35: listeners[0].lisen: ", StringComparison.Ordinal));
        Assert.Contains(ended.ErrorLines, line => line.StartsWith($"{file}:3:25: limits.idle_timeout: \"5\": is not a duration", StringComparison.Ordinal));
        Assert.Contains(ended.ErrorLines, line => line.Contains("listeners[0].to: \"web:8080\": is not an address", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Authority_InitIssueBundleAndRelay_FitTogether()
    {
        string ca = _folder["ca"], web = _folder["web"];
        (await Called.WithAsync("mesh", "ca", "init", ca, "--trust-domain", "example.org")).With(ExitCode.Ok);
        (await Called.WithAsync("mesh", "ca", "init", ca, "--trust-domain", "example.org")).With(ExitCode.Failed);
        (await Called.WithAsync("mesh", "ca", "init", ca, "--trust-domain", "example.org", "--rotate")).With(ExitCode.Ok);
        (await Called.WithAsync("mesh", "ca", "issue", ca, "spiffe://example.org/ns/shop/sa/web", "--out", web, "--dns", "web.test")).With(ExitCode.Ok);
        (await Called.WithAsync("mesh", "ca", "issue", ca, "spiffe://Example.org/x", "--out", web)).With(ExitCode.Usage);
        string bundle = (await Called.WithAsync("mesh", "ca", "bundle", ca)).With(ExitCode.Ok).Output;
        Assert.Equal(2, bundle.Split("-----BEGIN CERTIFICATE-----").Length - 1);
        string file = _folder.Write("relay.yaml", $$"""
            identity: { certificate: {{web}}.pem, key: {{web}}.key, bundles: { example.org: {{ca}}/bundle.pem } }
            listeners:
              - { name: in, kind: inbound, listen: "127.0.0.1:1", to: "127.0.0.1:2" }
            """);
        Assert.Contains("good, 1 listeners", (await Called.WithAsync("mesh", "relay", file, "--check")).With(ExitCode.Ok).Output, StringComparison.Ordinal);
    }
}
